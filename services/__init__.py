"""The services; each knows the others by their events alone."""
