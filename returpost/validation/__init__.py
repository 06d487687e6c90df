"""Is this a usable address: syntax, DNS, suggestion."""
