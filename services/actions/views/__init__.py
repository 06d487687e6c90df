"""Views over recipients, returns, complaints and blocked addresses: pages, counts and groups."""
