"""Commands that show what runs."""
