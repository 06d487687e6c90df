"""`python -m returpost`."""

from returpost.cli import main

main()
