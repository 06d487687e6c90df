"""Mail servers of one's own that tell what became of each message."""
