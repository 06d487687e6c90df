"""Mailings, recipients, block states and erasures in PostgreSQL."""
