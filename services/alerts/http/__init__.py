"""Channels, and what was told over them."""
