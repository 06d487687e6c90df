"""What the command is told by its environment: `RETURPOST_<NAME>`, or a file of that name in lower case in the folder
`RETURPOST_SECRETS_DIR`; and what of it a service is told."""

import os
from collections.abc import Mapping
from pathlib import Path

from returpost.cli.installation import PROGRAMS

_WITHHELD = ("AMQP_URL", "DATABASE_URL", "MANAGEMENT_URL", "TOKEN_KEYS", "HTTP_PORT", "PASSWORD")
"""Ends of names that no service inherits: each is given its own."""


def setting(name: str) -> str | None:
    """Return a setting, or nothing when it is not set or empty."""
    variable = f"RETURPOST_{name}"
    if value := os.environ.get(variable):
        return value
    folder = os.environ.get("RETURPOST_SECRETS_DIR")
    if folder and (file := Path(folder) / variable.lower()).is_file():
        return file.read_text().strip() or None
    return None


def for_service(service: str, outer: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a service: the outer one without the secrets and settings that are not its own."""
    others = tuple(f"RETURPOST_{other.upper()}_" for other in PROGRAMS if other != service)
    kept = {
        name: value
        for name, value in outer.items()
        if not name.startswith("RETURPOST_")
        or not (name.startswith((*others, "RETURPOST_SECRETS_DIR", "RETURPOST_TOKEN")) or name.endswith(_WITHHELD))
    }
    return kept | {f"RETURPOST_{name}": value for name, value in own.items()}
