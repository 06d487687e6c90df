"""The `returpost` command."""

import sys

HINT = "the command line needs more than the client library: pip install 'returpost[cli]'\n"


def main() -> None:
    """Run the command. Exit codes: 0 done, 1 failed, 2 wrong use, 3 a service is unavailable."""
    try:
        from returpost.cli.root import app
    except ModuleNotFoundError as error:
        sys.stderr.write(f"returpost: {error.name} is not installed; {HINT}")
        sys.exit(2)
    app()


if __name__ == "__main__":
    main()
