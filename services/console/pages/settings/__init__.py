"""The page of the settings: blocks and retries."""
