"""`returpost trace`: what happened to an address, a mailing or an event, and where it died."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from returpost.cli.operate.dead_letters.filters import Since
from returpost.cli.operate.dead_letters.look import short
from returpost.cli.operate.jobs import encode
from returpost.cli.options import FOLDER, Folder, Json, api

MAX_EVENTS = 50
"""Of which the deliveries to webhooks are asked for, of each tenant: the latest."""
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

    Each event names the one that it follows from, how long after it came, and where it is in each queue that takes it:
    taken, waiting, or dead there. Blocks and lifts go on to webhooks, which are listed below; a mirror has one when it
    has read to its version.

    \b
    returpost trace ann@example.com --why "ticket 4711"
    returpost trace 1b7f0f4e-0000-4000-8000-000000000000 --why "ticket 4711"
    """
    from returpost.cli.terminal import out, print_json, say, table

    body = {kind_of(subject, mailing=mailing): subject, "why": why, "since": _utc(since)}
    services = api(directory)
    found = services.call("replay", "POST", "/v1/trace", {"tenant": tenant}, encode(body))
    found["webhook_deliveries"] = []
    for owner, first, events in for_webhooks(found["steps"]):
        asked = {"tenant": owner, "since": first, "event": events}
        found["webhook_deliveries"] += services.call("blocklist", "GET", "/v1/webhook-deliveries", asked)["items"]
    if as_json:
        print_json(found)
        return
    if not found["steps"] and not found["dead_letters"]:
        say("nothing found; the archive keeps 30 days, and this looked at 7 unless --since says more")
        return
    rows = [
        (
            step["time"][:19].replace("T", " "), step["type"].removeprefix("returpost.").removesuffix(".v1"),
            step["mailing"] or "", " ".join(f"{name}={value}" for name, value in step["facts"].items()), step["id"][:8],
            (step["cause"] or "")[:8], _after(step["seconds"]), "\n".join(map(where, step["queues"])),
        )
        for step in found["steps"]
    ]  # fmt: skip
    out.print(table(None, ("time (UTC)", "event", "mailing", "what", "id", "follows from", "after", "where"), rows))
    for letter in found["dead_letters"]:
        say(
            f"{letter['queue']}: {short(letter['error'])} ({letter['state']}); "
            f"returpost dead-letters show {letter['id']}"
        )
    for one in found["webhook_deliveries"]:
        done = f" at {one['done_at'][:19]}" if one["done_at"] else ""
        tries = f" after {one['attempts']} attempts: {one['problem']}" if one["problem"] else ""
        say(f"{one['event'][:8]} to the webhook {one['webhook']}: {one['state']}{done}{tries}")
    if not found["complete"]:
        say("there is more: ask with a later --since")


def for_webhooks(steps: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield by tenant the time of the first and the ids of the events among these that webhooks get."""
    by_tenant: dict[str, list[dict[str, Any]]] = {}
    for step in steps:
        if step["for_webhooks"]:
            by_tenant.setdefault(step["tenant"], []).append(step)
    for tenant, some in by_tenant.items():
        latest = some[-MAX_EVENTS:]
        yield tenant, min(step["time"] for step in latest), [step["id"] for step in latest]


def where(state: dict[str, Any]) -> str:
    """Say where an event is in one of its queues."""
    ahead = f", {state['ahead']} before it" if state["ahead"] is not None else ""
    died = f", dead letter {state['dead_letter'][:8]}" if state["dead_letter"] else ""
    return f"{state['queue']}: {state['state']}{ahead}{died}"


def _after(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def kind_of(subject: str, *, mailing: bool) -> str:
    """Return what a text names: an address has an @, an event's id is a UUID, and all else is a mailing."""
    if mailing:
        return "mailing"
    return "address" if "@" in subject else "event" if UUID_FORM.fullmatch(subject) else "mailing"


def _utc(moment: datetime | None) -> str | None:
    return f"{moment.isoformat()}Z" if moment else None
