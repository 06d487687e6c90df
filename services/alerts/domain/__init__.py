"""What an alert says, where it goes, and when."""
