"""The table of every page, its filters and its Actions menu."""
