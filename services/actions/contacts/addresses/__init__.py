"""One address: whose it is, its block, its last return, what it was corrected to, and all that happened to it."""
