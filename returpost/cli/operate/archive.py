"""`returpost archive`: look for archived events, and at one of them."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from returpost.cli.operate.dead_letters.filters import EventId, Mailing, OfTenant, Type
from returpost.cli.operate.jobs import encode
from returpost.cli.options import FOLDER, Folder, Json, api
from returpost.errors import InvalidSettings

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
PAGE = 200

From = Annotated[datetime, typer.Option("--from", formats=FORMATS, help="Events from this time on (UTC).")]
To = Annotated[datetime | None, typer.Option("--to", formats=FORMATS, help="Before this time; else now.")]
OfAddress = Annotated[str | None, typer.Option("--address", help="Only events that name this address; say --why.")]

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Look for archived events, and at one of them.")


@app.command("list")
def list_events(
    since: From,
    until: To = None,
    type_: Type = None,
    tenant: OfTenant = None,
    mailing: Mailing = None,
    address: OfAddress = None,
    event: EventId = None,
    why: Annotated[str, typer.Option(help="Why you look for an address; the audit keeps it.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, the oldest first.")] = 100,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """List events of the archive in its order, without addresses. Ctrl-C stops looking.

    \b
    returpost archive list --from 2026-11-24T20:00 --to 2026-11-24T21:00 --type returpost.bounce.classified.v1
    returpost archive list --from 2026-11-24 --address ann@example.com --why "ticket 4711"
    """
    from returpost.cli.terminal import err, out, print_json, say, table

    say_why(address, why)
    client = api(directory)
    body = encode(
        {"filter": selected(since, until, type=type_, mailing=mailing, address=address, event=event), "why": why}
    )
    found: list[dict[str, Any]] = []
    read, cursor = 0, None
    while len(found) < limit:
        asked = {"tenant": tenant, "cursor": cursor, "limit": min(PAGE, limit - len(found))}
        page = client.call("replay", "POST", "/v1/archive/search", asked, body)
        found += page["items"]
        read, cursor = read + page["messages_read"], page["next_cursor"]
        if cursor is None:
            break
        err.print(f"{len(found)} found; read to {page['read_to']}", highlight=False)
    if as_json:
        print_json({"items": found, "messages_read": read, "read_to": page["read_to"], "complete": cursor is None})
        return
    rows = [
        (
            one["place"], one["time"][:19].replace("T", " "),
            one["type"].removeprefix("returpost.").removesuffix(".v1"), one["tenant"], one["mailing"] or "",
            " ".join(f"{name}={value}" for name, value in one["facts"].items()), one["id"],
        )
        for one in found
    ]  # fmt: skip
    if rows:
        out.print(table(None, ("place", "time (UTC)", "event", "tenant", "mailing", "what", "id"), rows))
    more = "" if cursor is None else "; there may be more: a higher --limit, or a later --from"
    say(f"{len(found)} found in {read} messages{more}. Next: `returpost archive show PLACE`, `returpost replay ...`")


@app.command()
def show(
    place: Annotated[str, typer.Argument(metavar="PLACE", help="Of the event, as `archive list` shows it.")],
    why: Annotated[str, typer.Option(help="Why you look; the audit keeps it.", prompt=True)],
    tenant: OfTenant = None,
    directory: Folder = FOLDER,
) -> None:
    """Show one event as it was published, in JSON. It may hold addresses.

    \b
    returpost archive show 81733.0 --why "ticket 4711"
    """
    from urllib.parse import quote

    path = f"/v1/archive/events/{quote(place, safe='')}"
    found = api(directory).get("replay", path, why=why, tenant=tenant)
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))


def say_why(address: str | None, why: str) -> None:
    """Raise `InvalidSettings` where an address is looked for without saying why."""
    if address is not None and len(why) < 3:
        raise InvalidSettings("--why: say why you look for an address; the audit keeps it")


def selected(since: datetime, until: datetime | None, **conditions: str | None) -> dict[str, Any]:
    """Return a filter as the API wants it."""
    times = {"since": _utc(since), "until": _utc(until) if until else datetime.now(UTC).isoformat()}
    return times | {name: value for name, value in conditions.items() if value is not None}


def _utc(moment: datetime) -> str:
    return moment.replace(tzinfo=UTC).isoformat()
