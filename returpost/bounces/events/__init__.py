"""From what was read to the events that the services exchange: results, mails, provider payloads."""
