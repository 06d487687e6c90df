"""Commands that hand something in."""
