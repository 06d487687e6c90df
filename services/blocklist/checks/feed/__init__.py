"""The feed: a tenant's block events in order, from the first on, with a cursor; its reader needs a token alone."""
