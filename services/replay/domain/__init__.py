"""Selections of dead letters and of the archive, and what a dead letter is. No I/O."""
