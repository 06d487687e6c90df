"""Blocks of whole domains."""
