"""The SQL of replay."""
