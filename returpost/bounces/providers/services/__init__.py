"""Sending services."""
