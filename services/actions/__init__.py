"""Contacts and mailings with their recipients; bulk operations over them."""
