"""`returpost token`: issue an API token."""

import re
from datetime import timedelta
from typing import Annotated

import typer

from returpost.cli.options import FOLDER, Folder
from returpost.contracts.enums import Role
from returpost.errors import InvalidSettings

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def token(
    tenant: Annotated[str, typer.Option(envvar="RETURPOST_TENANT", help="The tenant; * for all tenants.")] = "demo",
    scopes: Annotated[
        str | None,
        typer.Option(help="What it may do, separated by commas: send, check, read, write, operate, administer."),
    ] = None,
    role: Annotated[Role | None, typer.Option(help="What the person is, in the place of scopes.")] = None,
    name: Annotated[str, typer.Option(help="Who will use it; shown in audits.")] = "somebody",
    lifetime: Annotated[str, typer.Option(help="How long it is valid: 30m, 12h, 90d.")] = "12h",
    directory: Folder = FOLDER,
) -> None:
    """Issue a token for the HTTP APIs, signed with RETURPOST_TOKEN_KEYS or the key of this installation.

    \b
    returpost token --tenant acme --scopes send --name newsletter --lifetime 90d
    returpost token --tenant acme --role marketer --name ann
    curl -H "Authorization: Bearer $(returpost token)" 'http://127.0.0.1:8103/v1/blocks'
    """
    from deploy.commands.hooks import signing_key
    from returpost.cli.installation import Installation
    from returpost.cli.options import names
    from shared.http.auth import ALL_TENANTS, issue

    if tenant != ALL_TENANTS and len(names(tenant, "--tenant")) != 1:
        raise InvalidSettings("--tenant: name one, or * for all")
    asked = _asked(scopes, role)
    made = issue(
        signing_key(Installation(directory)), name=name, tenant=tenant, scopes=asked, lifetime=lifetime_of(lifetime)
    )
    typer.echo(made)


def _asked(scopes: str | None, role: Role | None) -> tuple[str, ...]:
    if role is not None:
        if scopes is not None:
            raise InvalidSettings("--role: it says the scopes; name one of --role and --scopes")
        from shared.http.auth import SCOPES_OF_ROLE

        return SCOPES_OF_ROLE[role]
    asked = tuple(scope.strip() for scope in (scopes or "read").split(",") if scope.strip())
    if scopes == "" or not asked:
        raise InvalidSettings("--scopes: name at least one")
    return asked


def lifetime_of(text: str) -> timedelta:
    """Read `30m`, `12h` or `90d`. Raises `InvalidSettings`."""
    match = re.fullmatch(r"(\d{1,5})([mhd])", text)
    if match is None or int(match[1]) == 0:
        raise InvalidSettings(f"--lifetime: {text!r}; write a number and m, h or d, as 12h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
