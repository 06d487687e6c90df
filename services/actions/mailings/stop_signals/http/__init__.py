"""HTTP: thresholds, what they would have stopped, and mailings that are paused and resumed."""
