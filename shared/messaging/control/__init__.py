"""What stops a consumer and starts it again: operators, who also drain its queue, and too many failures."""
