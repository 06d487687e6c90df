"""Outbound webhooks: block events posted to receivers that cannot read the stream of blocks."""
