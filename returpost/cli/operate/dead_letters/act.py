"""`returpost dead-letters replay`, `discard`, `restore`: a plan first, then a job that is followed."""

from typing import Annotated, Any
from uuid import uuid4

import typer

from returpost.cli.http.api import Api
from returpost.cli.operate.dead_letters.filters import (
    All,
    ErrorText,
    ErrorType,
    Fingerprint,
    Ids,
    Mailing,
    OfTenant,
    Queue,
    Release,
    Since,
    Type,
    Until,
    Why,
    Yes,
    selection,
)
from returpost.cli.operate.dead_letters.look import short
from returpost.cli.operate.jobs import agreed, encode, follow
from returpost.cli.options import FOLDER, Folder, Json, api

NoWait = Annotated[bool, typer.Option("--no-wait", help="Start it, print its id, and do not wait for its end.")]


def replay(
    ids: Ids = None,
    queue: Queue = None,
    fingerprint: Fingerprint = None,
    error_type: ErrorType = None,
    type_: Type = None,
    tenant: OfTenant = None,
    mailing: Mailing = None,
    release: Release = None,
    text: ErrorText = None,
    since: Since = None,
    until: Until = None,
    every: All = False,
    into: Annotated[str | None, typer.Option(help="Another queue that takes the type; else where each failed.")] = None,
    canary: Annotated[int, typer.Option(min=0, help="So many first: the rest waits until they are processed.")] = 3,
    rate: Annotated[int, typer.Option(min=0, help="Dead letters per second at most; 0: no limit.")] = 0,
    slow_start: Annotated[bool, typer.Option(help="Begin with 1, 2, 5, ... a second.")] = True,
    stop_after: Annotated[int, typer.Option(min=-1, help="Pause when more fail again; -1: never.")] = 0,
    why: Why = ...,  # type: ignore[assignment]
    yes: Yes = False,
    no_wait: NoWait = False,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Put dead letters back into the queue where they failed, and tell which are processed and which failed again.

    A few go first; when those are processed the rest follows, slowly at first. It pauses when one fails again.
    Ctrl-C stops looking, not the job: `returpost jobs stop ID` does.

    \b
    returpost dead-letters replay --queue classifier.bounce-received --why "release 1.4.2 mends it"
    """
    chosen = selection(
        every, ids, queue=queue, fingerprint=fingerprint, error_type=error_type, type=type_, tenant=tenant,
        mailing=mailing, release=release, text=text, since=since, until=until,
    )  # fmt: skip
    how = {
        "into": into, "canary": canary, "rate": rate, "slow_start": slow_start,
        "stop_after": None if stop_after < 0 else stop_after,
    }  # fmt: skip
    _act("replay", {"selection": chosen, "why": why, **how}, yes, no_wait, as_json, api(directory))


def discard(
    ids: Ids = None,
    queue: Queue = None,
    fingerprint: Fingerprint = None,
    error_type: ErrorType = None,
    type_: Type = None,
    tenant: OfTenant = None,
    mailing: Mailing = None,
    since: Since = None,
    until: Until = None,
    every: All = False,
    why: Why = ...,  # type: ignore[assignment]
    yes: Yes = False,
    no_wait: NoWait = False,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Discard dead letters. They are kept for a time, and can be restored.

    \b
    returpost dead-letters discard --fingerprint 5f1c9e0b7a6d3c21 --why "test messages"
    """
    chosen = selection(
        every, ids, queue=queue, fingerprint=fingerprint, error_type=error_type, type=type_, tenant=tenant,
        mailing=mailing, since=since, until=until,
    )  # fmt: skip
    _act("discard", {"selection": chosen, "why": why}, yes, no_wait, as_json, api(directory))


def restore(
    ids: Ids = None,
    queue: Queue = None,
    fingerprint: Fingerprint = None,
    error_type: ErrorType = None,
    type_: Type = None,
    tenant: OfTenant = None,
    mailing: Mailing = None,
    since: Since = None,
    until: Until = None,
    every: All = False,
    why: Why = ...,  # type: ignore[assignment]
    yes: Yes = False,
    no_wait: NoWait = False,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Make discarded messages dead letters again.

    \b
    returpost dead-letters restore --queue classifier.bounce-received --why "discarded by mistake"
    """
    chosen = selection(
        every, ids, queue=queue, fingerprint=fingerprint, error_type=error_type, type=type_, tenant=tenant,
        mailing=mailing, since=since, until=until,
    )  # fmt: skip
    _act("restore", {"selection": chosen, "why": why}, yes, no_wait, as_json, api(directory))


def _act(action: str, wanted: dict[str, Any], yes: bool, no_wait: bool, as_json: bool, client: Api) -> None:
    from returpost.cli.terminal import err, print_json, say, table

    plan = client.call("replay", "POST", "/v1/dead-letters/plan", {"action": action}, encode(wanted))
    rows = [
        (g["count"], g["queue"] or "(never reached a queue)", g["fingerprint"], short(g["error"]))
        for g in plan["groups"]
    ]
    if rows:
        err.print(table(f"To {action}", ("dead letters", "queue", "fingerprint", "error"), rows))
    for one in plan["impossible"]:
        say(f"{one['count']} stay where they are: {one['why']}")
    for target in plan["targets"]:
        if not target["reports_outcome"]:
            say(f"{target['queue']}: its reader does not report what becomes of them")
    if not plan["dead_letters"]:
        say("nothing to do")
        return
    if agreed(f"{action.capitalize()} {plan['dead_letters']} dead letters?", yes=yes):
        # The id makes a request that is repeated, because its answer was lost, the same request.
        body = encode({**wanted, "confirm": plan["dead_letters"], "id": str(uuid4())})
        job = client.call("replay", "POST", f"/v1/dead-letters/{action}", None, body)
        state = job if no_wait else follow(client, job["job"], plan["dead_letters"])
        if as_json:
            print_json(state)
        elif no_wait:
            say(f"started: job {job['job']}")
