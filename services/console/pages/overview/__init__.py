"""The overview: figures, storms and charts."""
