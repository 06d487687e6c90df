"""Counts by minute, breaches, pauses and thresholds in PostgreSQL."""
