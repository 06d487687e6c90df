"""Lists of blocked addresses as files, our own and those of providers: read piece by piece, written line by line."""
