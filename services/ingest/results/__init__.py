"""Delivery results that senders hand in, over the broker or by HTTP."""
