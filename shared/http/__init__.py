"""The HTTP side of a service: one concern a module."""
