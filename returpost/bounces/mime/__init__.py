"""The structure of a mail, its charsets, and the addresses in it: made for mail that may be broken or hostile."""
