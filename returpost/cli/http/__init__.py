"""How the command line calls the services."""
