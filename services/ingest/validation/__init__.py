"""Checking new addresses, such as come in through forms and chats: syntax, domain, likely typing errors."""
