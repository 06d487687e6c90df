"""`returpost trace`: what happened to an address, a mailing or an event, and where it died."""

import re
from datetime import datetime
from typing import Annotated, Any

import typer

from returpost.cli.operate.dead_letters.filters import Since
from returpost.cli.operate.dead_letters.look import short
from returpost.cli.operate.jobs import encode
from returpost.cli.options import FOLDER, Folder, Json, api

UUID_FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


def trace(
    subject: Annotated[
        str, typer.Argument(metavar="ADDRESS|MAILING|ID", help="An address, a mailing or an event's id.")
    ],
    why: Annotated[str, typer.Option(help="Why you look; the audit keeps it.", prompt=True)],
    mailing: Annotated[bool, typer.Option("--mailing", help="It is a mailing, whatever it looks like.")] = False,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    since: Since = None,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Follow an address, a mailing or one event: what came in, verdict and rule, retries, counts, blocks, changes.

    Each event names the one that it follows from. Those that a service could not process are dead letters.

    \b
    returpost trace ann@example.com --why "ticket 4711"
    returpost trace 1b7f0f4e-0000-4000-8000-000000000000 --why "ticket 4711"
    """
    from returpost.cli.terminal import out, print_json, say, table

    body = {kind_of(subject, mailing=mailing): subject, "why": why, "since": _utc(since)}
    found = api(directory).call("replay", "POST", "/v1/trace", {"tenant": tenant}, encode(body))
    if as_json:
        print_json(found)
        return
    if not found["steps"] and not found["dead_letters"]:
        say("nothing found; the archive keeps 30 days, and this looked at 7 unless --since says more")
        return
    died: dict[str, Any] = {letter["event_id"]: letter for letter in found["dead_letters"]}
    rows = [
        (
            step["time"][:19].replace("T", " "), step["type"].removeprefix("returpost.").removesuffix(".v1"),
            step["mailing"] or "", " ".join(f"{name}={value}" for name, value in step["facts"].items()), step["id"][:8],
            (step["cause"] or "")[:8], _after(step["seconds"]),
            f"dead letter: {died[step['id']]['state']}" if step["id"] in died else "",
        )
        for step in found["steps"]
    ]  # fmt: skip
    out.print(table(None, ("time (UTC)", "event", "mailing", "what", "id", "follows from", "after", "died"), rows))
    for letter in found["dead_letters"]:
        say(
            f"{letter['queue']}: {short(letter['error'])} ({letter['state']}); "
            f"returpost dead-letters show {letter['id']}"
        )
    if not found["complete"]:
        say("there is more: ask with a later --since")


def _after(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def kind_of(subject: str, *, mailing: bool) -> str:
    """Return what a text names: an address has an @, an event's id is a UUID, and all else is a mailing."""
    if mailing:
        return "mailing"
    return "address" if "@" in subject else "event" if UUID_FORM.fullmatch(subject) else "mailing"


def _utc(moment: datetime | None) -> str | None:
    return f"{moment.isoformat()}Z" if moment else None
