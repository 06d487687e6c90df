"""Messages on their way: by SMTP or HTTP, tried again until they are given up."""
