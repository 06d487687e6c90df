"""The HTTP API of replay, for operators."""
