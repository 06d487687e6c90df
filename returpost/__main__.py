"""`python -m returpost`."""

from returpost.cli.main import main

main()
