"""What a checkout or the image of the server adds to the command line; `pip install returpost` has none of it.

One registration point: the module `deploy.commands`, with two tables. `COMMANDS` are whole commands, `HOOKS` the parts
of other commands that look into the broker, the database, or the key of the tokens.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from returpost.errors import InvalidSettings

PACKAGE = "deploy.commands"


def is_here() -> bool:
    """Tell whether the server is importable."""
    return find_spec(PACKAGE.partition(".")[0]) is not None and find_spec(PACKAGE) is not None


def commands() -> Mapping[str, tuple[str, str, str]]:
    """Return the server's commands: name -> (`module:name` in its package, help, panel)."""
    found: Mapping[str, tuple[str, str, str]] = import_module(PACKAGE).COMMANDS if is_here() else {}
    return found


def hook(name: str) -> Callable[..., Any]:
    """Return the server's part of a command. Raises `InvalidSettings` where the server is not importable."""
    if not is_here():
        raise InvalidSettings("this needs the server: run it from a checkout of Returpost or in its image")
    module, _, attribute = str(import_module(PACKAGE).HOOKS[name]).partition(":")
    found: Callable[..., Any] = getattr(import_module(f"{PACKAGE}.{module}"), attribute)
    return found
