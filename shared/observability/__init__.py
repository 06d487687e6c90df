"""Logs, traces, metrics, health. No address is ever in them."""
