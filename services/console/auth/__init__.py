"""Who looks: sessions, signing in, and the OpenID Connect provider."""
