"""`returpost user`: who may sign in to the console."""

import json
import secrets
import sys
from typing import Annotated, Any

import typer

from returpost.cli.options import FOLDER, TENANT, Folder, Json, Tenant, api
from returpost.errors import InvalidSettings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Add, list and remove users of the console.")

PASSWORD_BYTES = 12


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="As it is typed at sign-in; an e-mail address will do.")],
    tenant: Tenant = TENANT,
    role: Annotated[str, typer.Option(help="viewer, marketer, operator or administrator.")] = "marketer",
    home: Annotated[str | None, typer.Option(help="With --tenant '*': the tenant that is shown first.")] = None,
    generate: Annotated[bool, typer.Option("--generate", help="Generate a password and print it.")] = False,
    directory: Folder = FOLDER,
) -> None:
    """Add a user. The password is prompted for, read from standard input when that is not a terminal, or generated.

    \b
    returpost user add --tenant demo --role administrator kari
    returpost user add --tenant '*' --home demo --role operator --generate nina
    """
    password = generate_password() if generate else _prompt()
    make(api(directory), name, password, tenant=tenant, role=role, home=home)
    typer.echo(f"{name} can sign in" + (f" with the password {password}" if generate else ""))


@app.command("list")
def list_users(
    tenant: Annotated[str | None, typer.Option(help="Of one tenant alone.")] = None,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """List users with their tenants and roles."""
    from returpost.cli.terminal import out, print_json, table

    found = api(directory).get("actions", "/v1/users", tenant=tenant, limit=1_000)["items"]
    if as_json:
        print_json(found)
        return
    columns = ("name", "tenant", "role", "disabled", "has_second_factor", "created_at", "created_by")
    out.print(table(None, columns, [[row.get(column) for column in columns] for row in found]))


@app.command("remove")
def remove(name: str, directory: Folder = FOLDER) -> None:
    """Remove a user; open sessions end."""
    from urllib.parse import quote

    api(directory).call("actions", "DELETE", f"/v1/users/{quote(name, safe='')}")
    typer.echo(f"{name} removed")


@app.command("reset-second-factor")
def reset_second_factor(name: str, directory: Folder = FOLDER) -> None:
    """Ask a user for no code any more, who has lost the app and the recovery codes; open sessions end."""
    from urllib.parse import quote

    api(directory).call("actions", "DELETE", f"/v1/users/{quote(name, safe='')}/second-factor")
    typer.echo(f"{name} signs in with the password alone, until a second factor is set up anew")


def generate_password() -> str:
    """Return a random password of 16 characters."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def make(client: Any, name: str, password: str, *, tenant: str, role: str, home: str | None = None) -> None:
    """Add a user. Raises as `Api.call` does."""
    told = {"name": name, "role": role, "password": password, "home": home}
    client.call("actions", "POST", "/v1/users", {"tenant": tenant}, json.dumps(told).encode())


def _prompt() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password (12 characters or more)", hide_input=True, confirmation_prompt=True))
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise InvalidSettings("no password: give it on standard input, or generate one with --generate")
    return password
