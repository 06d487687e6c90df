"""The handlers of address states: a batch of events or commands in, effects of one unit of work out."""
