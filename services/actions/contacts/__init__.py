"""Contacts: what CRMs say of them, their addresses, and how they are found."""
