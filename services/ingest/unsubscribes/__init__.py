"""One-click unsubscribe links: the request of a mailbox provider, and the page that asks a person once (RFC 8058)."""
