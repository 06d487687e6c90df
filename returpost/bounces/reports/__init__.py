"""What a notice says of each recipient: one reader a form (RFC 3464, RFC 5965, prose, a provider's own)."""
