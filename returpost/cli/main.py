"""The `returpost` command."""

import sys

HINT = "the command line needs more than the client library: pip install 'returpost[cli]'\n"


def main() -> None:
    """Run the command; `returpost.cli.exit_codes` says what its exit codes mean."""
    try:
        from returpost.cli.root import app
    except ModuleNotFoundError as error:
        sys.stderr.write(f"returpost: {error.name} is not installed; {HINT}")
        sys.exit(2)
    app(prog_name="returpost")


if __name__ == "__main__":
    main()
