"""What providers post to `/webhooks/{provider}/{tenant}`: proof of origin and settings."""
