"""Selections and projects: both are lists of contacts."""
