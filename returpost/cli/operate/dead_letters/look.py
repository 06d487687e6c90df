"""`returpost dead-letters list`, `show`, `note`."""

import sys
from typing import Annotated

import typer

from returpost.cli.operate.dead_letters.filters import (
    ErrorText,
    ErrorType,
    EventId,
    Fingerprint,
    Mailing,
    OfTenant,
    Queue,
    Release,
    Since,
    Type,
    Until,
    dead_letter_id,
)
from returpost.cli.operate.jobs import encode
from returpost.cli.options import FOLDER, Folder, Json, api
from returpost.errors import InvalidSettings

STATES = "dead, pending, processed, failed, replayed, discarded or edited"


def list_dead_letters(
    by: Annotated[
        str, typer.Option(help="Group by these, by commas: fingerprint, queue, type, tenant, hour, release.")
    ] = "fingerprint,queue",
    queue: Queue = None,
    fingerprint: Fingerprint = None,
    error_type: ErrorType = None,
    type_: Type = None,
    tenant: OfTenant = None,
    mailing: Mailing = None,
    event: EventId = None,
    release: Release = None,
    text: ErrorText = None,
    since: Since = None,
    until: Until = None,
    state: Annotated[str, typer.Option(help=f"{STATES}.")] = "dead",
    one_by_one: Annotated[bool, typer.Option("--one-by-one", help="One by one, not in groups.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many, one by one.")] = 50,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """List dead letters in groups, or one by one where an id, mailing, error or text is looked for.

    \b
    returpost dead-letters list
    returpost dead-letters list --by tenant,hour
    returpost dead-letters list --fingerprint 5f1c9e0b7a6d3c21
    """
    from returpost.cli.terminal import out, print_json, table

    client = api(directory)
    filters = {
        "state": state, "queue": queue, "type": type_, "release": release, "tenant": tenant,
        "since": f"{since.isoformat()}Z" if since else None, "until": f"{until.isoformat()}Z" if until else None,
    }  # fmt: skip
    single = {"fingerprint": fingerprint, "error_type": error_type, "mailing": mailing, "event": event, "text": text}
    if one_by_one or any(single.values()):
        page = client.get("replay", "/v1/dead-letters", limit=limit, **filters, **single)
        total = f"{page['total']} in all"
        columns = ["id", "failed_at", "queue", "tenant", "attempt", "bytes", "fingerprint", "error"]
    else:
        fields = [name.strip() for name in by.split(",") if name.strip()]
        page = client.get("replay", "/v1/dead-letters/groups", by=fields, **filters)
        total = f"{sum(row['count'] for row in page['items'])} in {len(page['items'])} groups"
        columns = [*fields, "count", "first", "last", "attempts", "error", "status", "owner"]
    found = page["items"]
    if as_json:
        print_json(page)
    elif not found:
        out.print(f"No dead letters in state {state}.")
    else:
        out.print(table(None, columns, [[short(row[column]) for column in columns] for row in found]))
        out.print(f"{total}. Next: `returpost dead-letters show ID`; `... replay --fingerprint F` when it is fixed.")


def show(
    identity: Annotated[str, typer.Argument(metavar="ID")],
    body: Annotated[bool, typer.Option("--body", help="Its bytes too; the audit keeps who looked, and why.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Only the bytes, as they came.")] = False,
    why: Annotated[str, typer.Option(help="Why you look at the bytes.")] = "",
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Show one dead letter: error, stack, queue, headers, what became of it; with --body its bytes.

    \b
    returpost dead-letters show 1b7f0f4e-0000-4000-8000-000000000000
    returpost dead-letters show 1b7f0f4e-0000-4000-8000-000000000000 --body --why "incident 7"
    """
    from returpost.cli.terminal import out, print_json, table

    client = api(directory)
    place = f"/v1/dead-letters/{dead_letter_id(identity)}"
    if (body or raw) and not why:
        raise InvalidSettings("--why: say why you look at the bytes; they may hold addresses")
    if raw:
        sys.stdout.buffer.write(client.raw("replay", f"{place}/body", why=why))
        return
    found = client.get("replay", place)
    linked = client.get("replay", f"{place}/history")["items"]
    content = client.raw("replay", f"{place}/body", why=why) if body else None
    if as_json:
        print_json({**found, "history": linked, "text": None if content is None else content.decode(errors="replace")})
        return
    for name, value in found.items():
        if name != "stack" and value not in ("", None, {}):
            out.print(f"{name:16} {value}", markup=False)
    if len(linked) > 1:
        columns = ("id", "failed_at", "attempt", "state", "error")
        out.print(table("History", columns, [[short(row[column]) for column in columns] for row in linked]))
    if found["stack"]:
        out.print(f"\n{found['stack']}", markup=False, highlight=False)
    if content is not None:
        out.print(f"\n{content.decode(errors='backslashreplace')}", markup=False, highlight=False)


def note(
    fingerprint: Annotated[str, typer.Argument(help="Of the group, as `dead-letters list` shows it.")],
    status: Annotated[str, typer.Option(help="new, known or 'being mended'.")] = "known",
    owner: Annotated[str, typer.Option(help="Who looks after it.")] = "",
    text: Annotated[str, typer.Option("--note", help="What is known of it.")] = "",
    directory: Folder = FOLDER,
) -> None:
    """Say what is known of a group of dead letters, and who mends it.

    \b
    returpost dead-letters note 5f1c9e0b7a6d3c21 --status "being mended" --owner ann --note "release 1.4.2"
    """
    from urllib.parse import quote

    value = encode({"status": status, "owner": owner, "note": text})
    api(directory).call("replay", "PUT", f"/v1/dead-letters/groups/{quote(fingerprint, safe='')}/note", None, value)


def short(value: object) -> object:
    """Return a value as it fits into a table."""
    if value is None:
        return ""
    return f"{value[:77]}..." if isinstance(value, str) and len(value) > 80 else value
