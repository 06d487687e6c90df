"""Webhooks to CRMs that cannot read the stream of blocks: what happens there is posted to them."""
