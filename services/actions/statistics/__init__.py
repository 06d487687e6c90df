"""What became of mailings by day, reason and receiving domain; blocks a day. Counted behind the pipeline."""
