"""`returpost replay`: archived events into one service's queue, once more."""

from typing import Annotated

import typer

from returpost.cli.operate.archive import From, OfAddress, To, say_why, selected
from returpost.cli.operate.dead_letters.filters import EventId, Mailing
from returpost.cli.operate.jobs import agreed, encode, follow
from returpost.cli.options import FOLDER, Folder, api


def replay(
    type_: Annotated[str, typer.Option("--type", help="As returpost.bounce.received.v1.")],
    since: From,
    into: Annotated[str, typer.Option(help="Queue that they go into, as classifier.bounce-received.")],
    until: To = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    mailing: Mailing = None,
    address: OfAddress = None,
    event: EventId = None,
    why: Annotated[str, typer.Option(help="Why; the audit keeps it.")] = "",
    rate: Annotated[int, typer.Option(min=0, help="Events per second; 0: no limit.")] = 0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    directory: Folder = FOLDER,
) -> None:
    """Send events of the archive into one service's queue once more. What was processed before has no effect again.

    \b
    returpost replay --type returpost.bounce.received.v1 --from 2026-11-23T20:00 --into classifier.bounce-received
    returpost replay --type returpost.bounce.classified.v1 --from 2026-11-23 --event ID --into actions.bounce-classified
    """
    from returpost.cli.terminal import out

    say_why(address, why)
    client = api(directory)
    conditions = {"tenant": tenant, "mailing": mailing, "address": address, "event": event}
    selection = selected(since, until, type=type_, into=into, **conditions)
    body = encode({"selection": selection, "rate": rate, "why": why})
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
