"""`returpost settings`: what a tenant has set; try a change out, make it, take it back."""

import json
from typing import Annotated, Any

import typer

from returpost.cli.background_jobs import came_to, followed
from returpost.cli.http.api import Api
from returpost.cli.options import FOLDER, TENANT, Folder, Json, Tenant, api
from returpost.errors import InvalidSettings

PATH = "/v1/settings"
SAMPLE = 10
TABLES = (
    ("By reason", "by_reason", ("reason", "blocked", "freed")),
    ("By domain", "by_domain", ("domain", "blocked", "freed")),
    ("Some of them", "sample", ("address", "would_be", "cause", "reason")),
)
"""What a preview is shown by, the largest first: title, name in the answer, columns."""
LISTS = ("expiry_days", "streams")
"""Settings whose values are several, by commas."""

Changes = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME=VALUE...",
        help="As accepted_bounces=3, reasons.policy=ignore, decay_days=180, expiry_days=1,2,4,7,14,"
        " streams.service=complaint (service mail is exempt from blocks by complaint); =none turns it off.",
    ),
]

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A tenant's settings: show, try out, change, undo.")


@app.command()
def show(tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Show the settings that are in force.

    \b
    returpost settings show --tenant demo
    """
    from returpost.cli.terminal import out, print_json, table

    found: dict[str, Any] = api(directory).get("blocklist", PATH, tenant=tenant)
    if as_json:
        print_json(found)
        return
    reasons = found.pop("reasons")
    out.print(table(None, ("setting", "value"), [(name, _shown(found[name])) for name in found if name != "job"]))
    out.print(table("What each reason does", ("reason", "effect"), sorted(reasons.items())))


@app.command()
def preview(changes: Changes, tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Count whom a change would block or free, by reason and domain; nothing is changed.

    \b
    returpost settings preview accepted_bounces=2
    returpost settings preview reasons.spam_content=ignore expiry_days=30
    """
    from returpost.cli.terminal import err, out, print_json, table

    client = api(directory)
    body = json.dumps(change_of(changes)).encode()
    asked = client.call("blocklist", "POST", f"{PATH}/preview", {"tenant": tenant}, body)
    result = followed(client, tenant, asked)["result"]
    if as_json:
        print_json(result)
        return
    out.print(f"{result['blocked']:,} addresses would become blocked, {result['freed']:,} free.")
    for title, name, columns in TABLES:
        if rows := result[name][:SAMPLE]:
            out.print(table(title, columns, [[row[column] for column in columns] for row in rows]))
    err.print("Nothing was changed. `returpost settings set` with the same words does it.")


@app.command("set")
def change(
    changes: Changes,
    note: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Change settings: at once for what comes in, soon for all addresses. `undo` takes it back.

    It waits until all addresses were looked at, and shows how far that is; Ctrl-C stops the waiting and not the change.

    \b
    returpost settings set accepted_bounces=3 --note "as agreed with sales"
    """
    client = api(directory)
    body = json.dumps(change_of(changes) | {"note": note}).encode()
    read: dict[str, Any] = client.get("blocklist", PATH, tenant=tenant)
    tag = f'"{read["version"]}"'
    saved = client.call("blocklist", "PUT", PATH, {"tenant": tenant}, body, if_match=tag)
    if saved["version"] == read["version"]:
        saved["job"] = None  # what is there is of an earlier change
    _tell(client, tenant, saved, as_json)


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
    client, body = api(directory), json.dumps({"version": version}).encode()
    _tell(client, tenant, client.call("blocklist", "POST", f"{PATH}/undo", {"tenant": tenant}, body), as_json)


@app.command()
def history(tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Tell who changed what, when and why, newest first."""
    from returpost.cli.terminal import out, print_json, table

    found: list[dict[str, Any]] = api(directory).get("blocklist", f"{PATH}/history", tenant=tenant)["items"]
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
    """Read `name=value` words; a value is JSON where it can be, or several by commas; `reasons.x=y` is one of many.

    Raises `InvalidSettings`.
    """
    change: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise InvalidSettings(f"{word!r}: write NAME=VALUE, as accepted_bounces=3")
        group, dot, member = name.partition(".")
        given = [_read(one) for one in value.split(",")] if group in LISTS and value[:1] != "[" else _read(value)
        if given == [None]:
            given = []
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


def _tell(client: Api, tenant: str, saved: dict[str, Any], as_json: bool) -> None:
    """Follow what was saved until it is applied, and say what it did."""
    from returpost.cli.terminal import err, print_json

    if saved["job"]:
        err.print(f"Version {saved['version']} is in force; `returpost settings undo` takes it back.")
        saved["job"] = followed(client, tenant, saved["job"])
        err.print(came_to(saved["job"]))
    else:
        err.print(f"Nothing changed: version {saved['version']} is in force as it was.")
    if as_json:
        print_json(saved)


def _changed(one: dict[str, Any]) -> str:
    return f"{one['name']}: {_shown(one['old'])} -> {_shown(one['new'])}"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
