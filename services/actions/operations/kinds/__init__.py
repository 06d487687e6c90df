"""One module a kind of bulk operation: what it does to one part of its rows, and how that is undone."""
