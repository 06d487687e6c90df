"""`returpost webhooks`: where what happens to blocks is posted, for CRMs that cannot read the stream."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from returpost.cli.options import FOLDER, TENANT, Folder, Json, Tenant, api
from returpost.errors import ReturpostError

PATH = "/v1/webhooks"
Called = Annotated[str, typer.Argument(help="Its name: small letters, digits, hyphens.")]
From = Annotated[str | None, typer.Option("--from", help="Also what happened since then, as 2026-11-24T08:00:00Z.")]

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Webhooks to CRMs: add, try out, look at, resend.")


@app.command("list")
def list_webhooks(tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """List the webhooks, and why those are disabled that are.

    \b
    returpost webhooks list --tenant demo
    """
    from returpost.cli.terminal import out, print_json, table

    found: list[dict[str, Any]] = _call(directory, "GET", "", tenant)["items"]
    if as_json:
        print_json(found)
        return
    rows = [(one["name"], one["url"], "yes" if one["enabled"] else one["disabled_why"] or "no") for one in found]
    out.print(table(None, ("name", "url", "enabled"), rows))


@app.command()
def add(
    name: Called,
    url: Annotated[str, typer.Argument(help="Where to post, https://...")],
    since: From = None,
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Add a webhook and print its secret, which is not shown again.

    \b
    returpost webhooks add crm https://crm.example.com/hooks/blocks
    returpost webhooks add crm https://crm.example.com/hooks/blocks --from 2026-11-01T00:00:00Z
    """
    body = {"name": name, "url": url} | ({"from": since} if since else {})
    _tell_secret(_call(directory, "POST", "", tenant, body), as_json)


@app.command()
def rotate(
    name: Called,
    overlap_hours: Annotated[int, typer.Option(min=0, max=720, help="How long the old secret signs too.")] = 24,
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Give a webhook another secret; for a while messages are signed by both.

    \b
    returpost webhooks rotate crm --overlap-hours 72
    """
    body = {"overlap_hours": overlap_hours}
    _tell_secret(_call(directory, "POST", f"/{quote(name)}/rotate", tenant, body), as_json)


@app.command()
def enable(name: Called, tenant: Tenant = TENANT, directory: Folder = FOLDER) -> None:
    """Post again: it goes on where it stopped."""
    _call(directory, "PATCH", f"/{quote(name)}", tenant, {"enabled": True})


@app.command()
def disable(name: Called, tenant: Tenant = TENANT, directory: Folder = FOLDER) -> None:
    """Post nothing until it is enabled; what happens meanwhile is posted then."""
    _call(directory, "PATCH", f"/{quote(name)}", tenant, {"enabled": False})


@app.command()
def remove(name: Called, tenant: Tenant = TENANT, directory: Folder = FOLDER) -> None:
    """Remove a webhook and the log of what was posted to it."""
    _call(directory, "DELETE", f"/{quote(name)}", tenant)


@app.command("test")
def try_out(name: Called, tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Post a test event now and tell what the receiver answered. Exit code 1 when it did not take it."""
    from returpost.cli.terminal import out, print_json

    told = _call(directory, "POST", f"/{quote(name)}/test", tenant)
    if as_json:
        print_json(told)
    else:
        out.print(f"{told['status'] or 'no answer'} after {told['milliseconds']} ms  {told['problem']}".rstrip())
    raise typer.Exit(0 if told["good"] else 1)


@app.command()
def log(
    name: Called,
    delivery: Annotated[str | None, typer.Argument(help="One of them: every attempt, and what was posted.")] = None,
    state: Annotated[str | None, typer.Option(help="open, delivered, skipped, lost or superseded.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 50,
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Show what was posted, newest first.

    \b
    returpost webhooks log crm --state open
    returpost webhooks log crm msg_4f0c2b... --json
    """
    from returpost.cli.terminal import out, print_json, table

    if delivery is not None:
        print_json(_call(directory, "GET", f"/{quote(name)}/deliveries/{quote(delivery)}", tenant))
        return
    query: dict[str, Any] = {"state": state, "limit": limit}
    found = _call(directory, "GET", f"/{quote(name)}/deliveries", tenant, **query)["items"]
    if as_json:
        print_json(found)
        return
    columns = ("id", "state", "formed_at", "events", "attempts", "status", "due_at", "problem")
    out.print(table(None, columns, [[row[column] for column in columns] for row in found]))


@app.command()
def resend(
    name: Called,
    delivery: Annotated[str | None, typer.Argument(help="One delivery, by its id in `log`.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Or all since a time, as 2026-11-24T08:00:00Z.")] = None,
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
) -> None:
    """Post one message again, or all that happened since a time.

    \b
    returpost webhooks resend crm msg_4f0c2b...
    returpost webhooks resend crm --from 2026-11-24T08:00:00Z
    """
    if (delivery is None) == (since is None):
        raise ReturpostError("what? Give the id of a delivery, or --from a time")
    from returpost.cli.terminal import err

    if delivery is not None:
        _call(directory, "POST", f"/{quote(name)}/deliveries/{quote(delivery)}/resend", tenant)
    else:
        _call(directory, "POST", f"/{quote(name)}/resend", tenant, {"from": since})
    err.print("It goes out now; `returpost webhooks log` tells what was answered.")


def _call(directory: Any, method: str, path: str, tenant: str, body: dict[str, Any] | None = None, **query: Any) -> Any:
    raw = None if body is None else json.dumps(body).encode()
    return api(directory).call("blocklist", method, PATH + path, {"tenant": tenant, **query}, raw)


def _tell_secret(made: dict[str, Any], as_json: bool) -> None:
    from returpost.cli.terminal import err, out, print_json

    if as_json:
        print_json(made)
    else:
        out.print(made["secret"])
        err.print("This is the secret; it is not shown again. `returpost webhooks test` tries it out.")
