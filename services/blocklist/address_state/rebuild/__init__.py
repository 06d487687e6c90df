"""The state of addresses built anew beside the live one, compared with it, and taken over where it differs."""
