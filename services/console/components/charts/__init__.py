"""Charts, drawn in the browser."""
