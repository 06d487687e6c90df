"""`returpost settings`: what a tenant has set; try a change out, make it, take it back."""

import json
import time
from typing import Annotated, Any

import typer

from returpost.api import Api
from returpost.commands.options import FOLDER, TENANT, Folder, Json, Tenant, api
from returpost.home import Home
from shared.errors import InvalidSettings, ReturpostError

PATH = "/v1/settings"
LOOKS_AFTER = 0.5
PATIENCE = 600.0

Changes = Annotated[
    list[str],
    typer.Argument(metavar="NAME=VALUE...", help="As accepted_bounces=3, reasons.policy=ignore, decay_days=180."),
]

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A tenant's settings: show, try out, change, undo.")


@app.command()
def show(tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Show the settings that are in force.

    \b
    returpost settings show --tenant demo
    """
    from returpost.commands.terminal import out, print_json, table

    found: dict[str, Any] = api(Home(directory)).get("blocklist", PATH, tenant=tenant)
    if as_json:
        print_json(found)
        return
    reasons = found.pop("reasons")
    out.print(table(None, ("setting", "value"), [(name, _shown(found[name])) for name in found if name != "operation"]))
    out.print(table("What each reason does", ("reason", "effect"), sorted(reasons.items())))


@app.command("what-if")
def what_if(changes: Changes, tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Count whom a change would block or free, by reason and domain; nothing is changed.

    \b
    returpost settings what-if accepted_bounces=2
    returpost settings what-if reasons.spam_content=ignore expiry_days=30
    """
    from returpost.commands.terminal import out, print_json

    client = api(Home(directory))
    body = json.dumps(change_of(changes)).encode()
    asked = client.call("blocklist", "POST", f"{PATH}/what-if", {"tenant": tenant}, body)
    done = _finished(client, tenant, asked)
    if as_json:
        print_json(done["result"])
    else:
        out.print_json(json.dumps(done["result"], default=str))
        out.print("Nothing was changed. `returpost settings set` with the same words does it.")


@app.command("set")
def change(
    changes: Changes,
    note: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Change settings: at once for what comes in, soon for all addresses. `undo` takes it back.

    \b
    returpost settings set accepted_bounces=3 --note "as agreed with sales"
    """
    from returpost.commands.terminal import out, print_json

    client = api(Home(directory))
    body = json.dumps(change_of(changes) | {"note": note}).encode()
    read: dict[str, Any] = client.get("blocklist", PATH, tenant=tenant)
    tag = f'"{read["version"]}"'
    saved = client.call("blocklist", "PUT", PATH, {"tenant": tenant}, body, if_match=tag)
    if as_json:
        print_json(saved)
    else:
        out.print(f"Version {saved['version']} is in force. `returpost settings undo` takes it back.")


@app.command()
def undo(
    version: Annotated[int | None, typer.Option(min=0, help="Return to this one; else to the one before.")] = None,
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Put earlier settings in force again; this makes a new version.

    \b
    returpost settings undo
    returpost settings undo --version 3
    """
    from returpost.commands.terminal import out, print_json

    body = json.dumps({"version": version}).encode()
    saved = api(Home(directory)).call("blocklist", "POST", f"{PATH}/undo", {"tenant": tenant}, body)
    if as_json:
        print_json(saved)
    else:
        out.print(f"Version {saved['version']} is in force.")


@app.command()
def history(tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Tell who changed what, when and why, newest first."""
    from returpost.commands.terminal import out, print_json, table

    found: list[dict[str, Any]] = api(Home(directory)).get("blocklist", f"{PATH}/history", tenant=tenant)["versions"]
    if as_json:
        print_json(found)
        return
    rows = [
        (row["version"], row["changed_at"], row["changed_by"], _changed(one), row["note"])
        for row in found
        for one in row["changes"]
    ]
    out.print(table(None, ("version", "when", "who", "what", "why"), rows))


def change_of(words: list[str]) -> dict[str, Any]:
    """Read `name=value` words; a value is JSON where it can be, `reasons.x=y` is one of the reasons.

    Raises `InvalidSettings`.
    """
    change: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise InvalidSettings(f"{word!r}: write NAME=VALUE, as accepted_bounces=3")
        group, dot, member = name.partition(".")
        given = _read(value)
        if group == "expiry_days" and isinstance(given, int):
            given = [given]
        if dot:
            change.setdefault(group, {})[member] = given
        else:
            change[name] = given
    return change


def _read(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return None if value in ("", "none") else value


def _finished(client: Api, tenant: str, operation: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while not operation["finished_at"]:
        if time.monotonic() > deadline:
            raise ReturpostError(f"not counted after {PATIENCE:.0f} s; ask for operation {operation['id']} later")
        time.sleep(LOOKS_AFTER)
        operation = client.get("blocklist", f"/v1/operations/{operation['id']}", tenant=tenant)
    return operation


def _changed(one: dict[str, Any]) -> str:
    return f"{one['name']}: {_shown(one['old'])} -> {_shown(one['new'])}"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
