"""Users, their sessions and API tokens; sign-in by password or OpenID Connect."""
