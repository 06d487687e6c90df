"""Posting to receivers outside: signed, within bounds, and to no place inside the network."""
