"""`returpost replay`: archived events into one service's queue, once more."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from returpost.cli.operate.jobs import agreed, encode, follow
from returpost.cli.options import FOLDER, Folder, api

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


def replay(
    type_: Annotated[str, typer.Option("--type", help="As returpost.bounce.received.v1.")],
    since: Annotated[datetime, typer.Option("--from", formats=FORMATS, help="Events from this time on (UTC).")],
    into: Annotated[str, typer.Option(help="Queue that they go into, as classifier.bounce-received.")],
    until: Annotated[datetime | None, typer.Option("--to", formats=FORMATS, help="Before this time; else now.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    rate: Annotated[int, typer.Option(min=0, help="Events per second; 0: no limit.")] = 0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    directory: Folder = FOLDER,
) -> None:
    """Send events of the archive into one service's queue once more. What was processed before has no effect again.

    \b
    returpost replay --type returpost.bounce.received.v1 --from 2026-11-23T20:00 --into classifier.bounce-received
    """
    from returpost.cli.terminal import out

    client = api(directory)
    selection: dict[str, Any] = {
        "type": type_,
        "since": since.replace(tzinfo=UTC).isoformat(),
        "until": (until.replace(tzinfo=UTC) if until else datetime.now(UTC)).isoformat(),
        "into": into,
        "tenant": tenant,
    }
    body = encode({"selection": selection, "rate": rate})
    out.print("Counting ...")
    plan = client.call("replay", "POST", "/v1/archive/plan", None, body)
    more = "" if plan["complete"] else " or more"
    out.print(f"{plan['events']}{more} events of {type_} into {into} (from {plan['oldest']} to {plan['newest']})")
    if not plan["events"]:
        out.print("Nothing to do.")
        return
    if agreed(f"Replay {plan['events']}{more} events?", yes=yes):
        job = client.call("replay", "POST", "/v1/archive/replay", {"expected": plan["events"]}, body)
        follow(client, job["job"], plan["events"])
