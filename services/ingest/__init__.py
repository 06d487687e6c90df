"""Every way a delivery result can arrive, and the validation of new addresses."""
