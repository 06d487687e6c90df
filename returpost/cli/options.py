"""What several commands share: their options, where the services are, and who asks."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from returpost.cli.api import Api
from returpost.cli.env_config import setting
from returpost.cli.installation import DEFAULT, PORTS, Home, Running
from returpost.errors import InvalidSettings

Folder = Annotated[
    Path, typer.Option("--dir", envvar="RETURPOST_DIR", help="Folder of the installation: data, secrets, logs.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Tenant = Annotated[str, typer.Option(envvar="RETURPOST_TENANT", help="Whose data.")]
Senders = Annotated[str, typer.Option(help="Names of the sending systems, by commas; each gets a queue and a user.")]

FOLDER = DEFAULT
TENANT = "demo"
SENDERS = "default"
TOKEN_LIFE = timedelta(hours=12)


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
        raise InvalidSettings(f"{what}: {text!r}; small letters, digits and hyphens, by commas") from None
    return found


def urls_of(home: Home) -> dict[str, str]:
    """Return where each service's API is: as `RETURPOST_<SERVICE>_URL` says, else as `up` says, else the usual port."""
    running = home.running()
    usual = {service: f"http://127.0.0.1:{port}" for service, port in PORTS.items()}
    given = {service: setting(f"{service.upper()}_URL") for service in PORTS}
    return (dict(running.urls) if running else usual) | {service: url for service, url in given.items() if url}


def api(home: Home) -> Api:
    """Return the services' APIs, asked with `RETURPOST_TOKEN` or else a token of this installation."""
    return Api(urls_of(home), setting("TOKEN") or own_token(home))


def own_token(home: Home) -> str:
    """Make a token for all tenants. Raises `InvalidSettings` when there is no key to sign it with."""
    from shared.http.auth import ALL_TENANTS, SCOPES, issue

    return issue(signing_key(home), name="cli", tenant=ALL_TENANTS, scopes=SCOPES, lifetime=TOKEN_LIFE)


def signing_key(home: Home) -> str:
    """Return the key that tokens are signed with: the first of `RETURPOST_TOKEN_KEYS`, or the installation's own."""
    from shared.http.auth import keys_of

    if given := setting("TOKEN_KEYS"):
        return keys_of(given)[0]
    if not (home.folder / "secrets").exists():
        raise InvalidSettings(
            "no key to sign tokens with: give RETURPOST_TOKEN or RETURPOST_TOKEN_KEYS, or start it with `returpost up`"
        )
    return home.secrets().token_key


def running(home: Home) -> Running:
    """Return what runs. Raises `InvalidSettings` when nothing does."""
    found = home.running()
    if found is None:
        raise InvalidSettings(f"nothing runs in {os.path.relpath(home.folder)}; start it with `returpost up`")
    return found
