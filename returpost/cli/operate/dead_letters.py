"""`returpost dead-letters`: messages that a service could not process; list, show, replay, discard, restore."""

import sys
from datetime import datetime
from typing import Annotated, Any

import typer

from returpost.cli.http.api import Api
from returpost.cli.operate.jobs import agreed, encode, follow
from returpost.cli.options import FOLDER, Folder, Json, api
from returpost.errors import InvalidSettings

Queue = Annotated[str | None, typer.Option(help="Only dead letters of this queue.")]
Fingerprint = Annotated[str | None, typer.Option(help="Only dead letters with this error (see `dead-letters list`).")]
Since = Annotated[datetime | None, typer.Option(help="Only dead letters from this time on (UTC).")]
Until = Annotated[datetime | None, typer.Option(help="Only dead letters before this time (UTC).")]
Ids = Annotated[list[str] | None, typer.Argument(help="Ids of dead letters.")]
All = Annotated[bool, typer.Option("--all", help="All dead letters.")]
Rate = Annotated[int, typer.Option(min=0, help="Dead letters per second; 0: no limit.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="List, show, replay, discard or restore dead letters."
)


@app.command("list")
def list_letters(
    queue: Queue = None,
    fingerprint: Fingerprint = None,
    state: Annotated[str, typer.Option(help="dead, replayed or discarded.")] = "dead",
    letters: Annotated[bool, typer.Option("--letters", help="One by one, not grouped by error.")] = False,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """List dead letters, grouped by error.

    \b
    returpost dead-letters list
    returpost dead-letters list --fingerprint 5f1c9e0b7a6d3c21
    """
    from returpost.cli.terminal import out, print_json, table

    client = api(directory)
    if letters or queue or fingerprint:
        found = client.get("replay", "/v1/dead-letters", state=state, queue=queue, fingerprint=fingerprint)["items"]
        columns = ("id", "failed_at", "queue", "attempt", "bytes", "fingerprint", "error")
    else:
        found = client.get("replay", "/v1/dead-letters/groups", state=state)["items"]
        columns = ("fingerprint", "queue", "count", "first", "last", "attempts", "error")
    if as_json:
        print_json(found)
    elif not found:
        out.print(f"No dead letters in state {state}.")
    else:
        out.print(table(None, columns, [[_short(row[column]) for column in columns] for row in found]))
        out.print("Next: `returpost dead-letters show ID`; `... replay --fingerprint F` when the cause is fixed.")


@app.command()
def show(
    identity: Annotated[str, typer.Argument(metavar="ID")],
    raw: Annotated[bool, typer.Option("--raw", help="Only the bytes, as they came.")] = False,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Show one dead letter: error, queue, and its bytes.

    \b
    returpost dead-letters show 1b7f0f4e-0000-4000-8000-000000000000
    """
    from base64 import b64decode

    from returpost.cli.terminal import out, print_json

    letter = api(directory).get("replay", f"/v1/dead-letters/{_id(identity)}")
    if as_json:
        print_json(letter)
        return
    body = b64decode(letter["body"])
    if raw:
        sys.stdout.buffer.write(body)
        return
    for name in (
        "id",
        "state",
        "failed_at",
        "queue",
        "exchange",
        "routing_key",
        "published_by",
        "attempt",
        "error",
        "fingerprint",
    ):
        out.print(f"{name:12} {letter[name]}", markup=False)
    if letter["stack"]:
        out.print(f"\n{letter['stack']}", markup=False, highlight=False)
    out.print(f"\n{letter['text'] if letter['text'] is not None else body!r}", markup=False, highlight=False)


@app.command()
def replay(
    ids: Ids = None,
    queue: Queue = None,
    fingerprint: Fingerprint = None,
    since: Since = None,
    until: Until = None,
    every: All = False,
    rate: Rate = 0,
    yes: Yes = False,
    directory: Folder = FOLDER,
) -> None:
    """Put dead letters back into the queue where they failed. Shows a plan first, then progress.

    \b
    returpost dead-letters replay --queue classifier.bounce-received
    """
    _act("replay", _selection(ids, queue, fingerprint, since, until, every), rate, yes, api(directory))


@app.command()
def discard(
    ids: Ids = None,
    queue: Queue = None,
    fingerprint: Fingerprint = None,
    since: Since = None,
    until: Until = None,
    every: All = False,
    yes: Yes = False,
    directory: Folder = FOLDER,
) -> None:
    """Discard dead letters. They are kept for a time, and can be restored.

    \b
    returpost dead-letters discard --fingerprint 5f1c9e0b7a6d3c21
    """
    _act("discard", _selection(ids, queue, fingerprint, since, until, every), 0, yes, api(directory))


@app.command()
def restore(
    ids: Ids = None,
    queue: Queue = None,
    fingerprint: Fingerprint = None,
    since: Since = None,
    until: Until = None,
    every: All = False,
    yes: Yes = False,
    directory: Folder = FOLDER,
) -> None:
    """Make discarded messages dead letters again.

    \b
    returpost dead-letters restore --queue classifier.bounce-received
    """
    _act("restore", _selection(ids, queue, fingerprint, since, until, every), 0, yes, api(directory))


def _act(action: str, selection: dict[str, Any], rate: int, yes: bool, client: Api) -> None:
    from returpost.cli.terminal import out, table

    body = encode({"selection": selection, "rate": rate})
    plan = client.call("replay", "POST", "/v1/dead-letters/plan", {"action": action}, body)
    rows = [
        (g["count"], g["queue"] or "(never reached a queue)", g["fingerprint"], _short(g["error"]))
        for g in plan["groups"]
    ]
    if rows:
        out.print(table(f"To {action}", ("dead letters", "queue", "fingerprint", "error"), rows))
    if plan["without_queue"]:
        out.print(f"{plan['without_queue']} never reached a queue, and stay where they are.")
    if not plan["dead_letters"]:
        out.print("Nothing to do.")
        return
    if agreed(f"{action.capitalize()} {plan['dead_letters']} dead letters?", yes=yes):
        job = client.call("replay", "POST", f"/v1/dead-letters/{action}", None, body)
        follow(client, job["job"], plan["dead_letters"])


def _selection(
    ids: list[str] | None,
    queue: str | None,
    fingerprint: str | None,
    since: datetime | None,
    until: datetime | None,
    every: bool,
) -> dict[str, Any]:
    if not (ids or queue or fingerprint or since or until or every):
        raise InvalidSettings("specify at least one filter: ids, --fingerprint, --queue, --since, --until or --all")
    return {
        "all": every,
        "queue": queue,
        "fingerprint": fingerprint,
        "since": f"{since.isoformat()}Z" if since else None,
        "until": f"{until.isoformat()}Z" if until else None,
        "ids": [_id(identity) for identity in ids] if ids else None,
    }


def _id(text: str) -> str:
    from uuid import UUID

    try:
        return str(UUID(text))
    except ValueError:
        raise InvalidSettings(
            f"{text!r} is not the id of a dead letter; `returpost dead-letters list --letters` shows them"
        ) from None


def _short(value: object) -> object:
    return f"{value[:77]}..." if isinstance(value, str) and len(value) > 80 else value
