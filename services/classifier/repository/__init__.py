"""The classifier's SQL. Every function works on a batch; nothing is decided here."""
