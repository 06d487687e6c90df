"""The demonstration: a simulated mailing, sample mails, and what must become of them."""
