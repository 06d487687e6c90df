"""What several commands share: their options, where the services are, and who asks."""

from pathlib import Path
from typing import Annotated

import typer

from returpost.cli import server
from returpost.cli.env_config import setting
from returpost.cli.http.api import Api
from returpost.cli.installation import DEFAULT, PORTS, Installation
from returpost.errors import InvalidSettings

Folder = Annotated[
    Path, typer.Option("--dir", envvar="RETURPOST_DIR", help="Folder of the installation: data, secrets, logs.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Tenant = Annotated[str, typer.Option(envvar="RETURPOST_TENANT", help="The tenant.")]
Senders = Annotated[
    str,
    typer.Option(
        help="Sending systems, by commas, each with a queue and a user; NAME:TENANT+TENANT limits to tenants."
    ),
]

FOLDER = DEFAULT
TENANT = "demo"
SENDERS = "default"


RecreateStreams = Annotated[
    bool,
    typer.Option("--recreate-streams", help="Delete streams that are there with other properties, and their events."),
]


def names(text: str, what: str) -> tuple[str, ...]:
    """Split a list by commas. Raises `InvalidSettings` for a name that cannot be part of a routing key."""
    from pydantic import TypeAdapter, ValidationError

    from returpost.contracts import Name

    found = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    try:
        TypeAdapter(list[Name]).validate_python(found)
    except ValidationError:
        raise InvalidSettings(
            f"{what}: {text!r}; lower-case letters, digits and hyphens, separated by commas"
        ) from None
    return found


def names_and_tenants(text: str, what: str) -> dict[str, tuple[str, ...]]:
    """Split a list of `name` or `name:tenant+tenant` by commas. Raises `InvalidSettings` as `names` does."""
    found: dict[str, tuple[str, ...]] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, limited, tenants = part.partition(":")
        (name,) = names(name, what) or ("",)
        found[name] = names(tenants.replace("+", ","), what) if limited else ()
        if not name or (limited and not found[name]):
            raise InvalidSettings(f"{what}: {part!r}; write NAME, or NAME:TENANT+TENANT for some tenants alone")
    return found


def urls_of(installation: Installation) -> dict[str, str]:
    """Return where each service's API is: as `RETURPOST_<SERVICE>_URL` says, else as `up` says, else the usual port."""
    running = installation.running()
    usual = {service: f"http://127.0.0.1:{port}" for service, port in PORTS.items()}
    given = {service: setting(f"{service.upper()}_URL") for service in PORTS}
    return (dict(running.urls) if running else usual) | {service: url for service, url in given.items() if url}


def api(directory: Path) -> Api:
    """Return the services' APIs, asked with the token that `token_of` gives. Raises as that does."""
    installation = Installation(directory)
    return Api(urls_of(installation), token_of(installation))


def token_of(installation: Installation) -> str:
    """Return `RETURPOST_TOKEN`, or a new token of the installation where the server is importable.

    Raises `InvalidSettings` when there is neither.
    """
    if given := setting("TOKEN"):
        return given
    if not server.is_here():
        raise InvalidSettings("RETURPOST_TOKEN is not set: an administrator issues one with `returpost token`")
    return str(server.hook("own_token")(installation))
