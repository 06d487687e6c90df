"""Saved views: pages with filters, sorting and columns under a name, of one user or of the tenant."""
