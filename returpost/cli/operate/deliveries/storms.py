"""`returpost storms`: what suddenly made most bounces, and what is to become of what it blocked."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from returpost.cli.background_jobs import came_to, followed
from returpost.cli.options import FOLDER, TENANT, Folder, Json, Tenant, api

PATH = "/v1/storms"
Id = Annotated[str, typer.Argument(help="The id of the storm, as `list` shows it.")]
Note = Annotated[str, typer.Option(help="Why, for the history.")]

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Storms of bounces: list them, lift what they blocked."
)


@app.command("list")
def list_storms(
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 50,
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """List storms, newest first: a reason, receiving domain or sending IP that suddenly made most bounces.

    While one goes on its bounces do not count. `state` is what was decided of them: `held` (nothing yet: they do not
    count since it was noticed), `lifted` or `counted`.

    \b
    returpost storms list --tenant demo
    """
    from returpost.cli.terminal import out, print_json, table

    found: list[dict[str, Any]] = api(directory).get("blocklist", PATH, tenant=tenant, limit=limit)["items"]
    if as_json:
        print_json(found)
        return
    columns = ("id", "kind", "value", "begun", "ended", "bounces", "of_bounces", "state", "judged_by", "note")
    out.print(table(None, columns, [[row[column] for column in columns] for row in found]))


@app.command()
def show(storm: Id, tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Show one storm, and how many addresses are blocked that it may have blocked."""
    from returpost.cli.terminal import out, print_json, table

    found: dict[str, Any] = api(directory).get("blocklist", f"{PATH}/{quote(storm, safe='')}", tenant=tenant)
    if as_json:
        print_json(found)
    else:
        out.print(table(None, ("", "value"), [(name.replace("_", " "), found[name]) for name in found]))


@app.command()
def lift(storm: Id, note: Note = "", tenant: Tenant = TENANT, directory: Folder = FOLDER) -> None:
    """Free in one go whom the storm has blocked since it began. `hold` takes it back.

    \b
    returpost storms lift 0b54d6a2-4e0c-5b39-9a3e-6a6f1c1d2e3f --note "the SPF record was wrong"
    """
    _judge(storm, "lifted", note, tenant, directory)


@app.command()
def hold(storm: Id, note: Note = "", tenant: Tenant = TENANT, directory: Folder = FOLDER) -> None:
    """Count its bounces up to when it was noticed, and none after, as before anybody decided."""
    _judge(storm, "held", note, tenant, directory)


@app.command()
def count(storm: Id, note: Note = "", tenant: Tenant = TENANT, directory: Folder = FOLDER) -> None:
    """Count all its bounces, since it was no storm: whom they block is blocked. `hold` takes it back."""
    _judge(storm, "counted", note, tenant, directory)


def _judge(storm: str, state: str, note: str, tenant: str, directory: Any) -> None:
    from returpost.cli.terminal import err

    client, body = api(directory), json.dumps({"state": state, "note": note}).encode()
    begun = client.call("blocklist", "POST", f"{PATH}/{quote(storm, safe='')}", {"tenant": tenant}, body)
    err.print(f"{state}: {came_to(followed(client, tenant, begun))}")
