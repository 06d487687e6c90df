"""`returpost mailings`, `retries`, `storms`: deliveries that go wrong, while they do."""
