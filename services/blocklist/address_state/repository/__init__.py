"""The SQL of address states: what handlers change (`postgres`), and what routes read (`views`)."""
