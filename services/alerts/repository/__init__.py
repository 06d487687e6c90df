"""The tables of channels, alerts and messages."""
