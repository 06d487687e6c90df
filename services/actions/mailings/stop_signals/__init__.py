"""Stop signals: which mailings have too many bounces, complaints or refusals; they are paused and resumed."""
