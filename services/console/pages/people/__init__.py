"""People and addresses, one by one and all of them."""
