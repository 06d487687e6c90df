"""The classifier's HTTP API."""
