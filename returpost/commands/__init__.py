"""The commands of the command line, a module each; what a module needs to run is imported when it runs."""
