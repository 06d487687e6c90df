"""Mailings and their recipients: results, verdicts, block states, erasures."""
