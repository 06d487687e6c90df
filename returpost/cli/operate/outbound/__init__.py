"""What goes out: webhooks to CRMs, alerts to people."""
