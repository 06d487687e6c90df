"""Runs jobs in parts, so that a restart continues."""
