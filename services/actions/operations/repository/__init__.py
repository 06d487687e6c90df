"""The SQL of bulk operations."""
