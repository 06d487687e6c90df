"""Backup and restore of an installation: database, keys, broker users, streams (`returpost backup`, `restore`)."""
