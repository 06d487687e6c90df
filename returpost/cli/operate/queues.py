"""`returpost queues`: list, pause, resume, drain, load, purge, move. Each is asked why, and the audit keeps it."""

import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote
from uuid import uuid4

import typer

from returpost.cli.http.api import Api
from returpost.cli.installation import Installation
from returpost.cli.operate import queue_files
from returpost.cli.operate.jobs import POLL_SECONDS, agreed, encode, follow
from returpost.cli.options import FOLDER, Folder, Json, api
from returpost.contracts.routing import SERVICES
from returpost.errors import InvalidSettings, ReturpostError, Unavailable

Queue = Annotated[str, typer.Argument(metavar="QUEUE", help="As classifier.bounce-received.")]
Why = Annotated[str, typer.Option(help="Why you do it; the audit keeps it.", prompt=True)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
QUIET_SECONDS = 5.0
COLUMNS = ("queue", "state", "waiting", "lag (s)", "why")

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Queues: list, pause, resume, drain, load, purge, move."
)


@app.command("list")
def list_queues(
    directory: Folder = FOLDER,
    as_json: Json = False,
    every: Annotated[bool, typer.Option("--all", help="Those too that are empty and consumed.")] = False,
) -> None:
    """List queues in which something waits or that nobody takes from, with who paused them.

    Exit code 3: no service answers.

    \b
    returpost queues list --all
    """
    from returpost.cli.terminal import out, print_json, say, table

    client = api(directory)
    found: dict[str, Any] = {}
    away: list[str] = []
    for service in SERVICES:
        try:
            found |= client.health(service).get("consumers", {})
        except Unavailable:
            away.append(service)
    if len(away) == len(SERVICES):
        raise Unavailable("no service answers; `returpost up` starts them")
    shown = {
        queue: state | {"state": state_of(state)}
        for queue, state in sorted(found.items())
        if every or state["waiting"] or not state["ok"]
    }
    if as_json:
        print_json({"queues": shown, "away": away})
        return
    for service in away:
        say(f"{service} does not answer")
    rows = [
        (q, s["state"], s["waiting"], s["lag_seconds"], (s["paused_by"] or {}).get("why")) for q, s in shown.items()
    ]
    out.print(table("Queues", COLUMNS, rows) if rows else "Every queue is empty and consumed.")


def state_of(consumer: dict[str, Any]) -> str:
    """Say how a consumer is, in a few words."""
    if pause := consumer.get("paused_by"):
        return f"paused by {pause['by']}"
    if failing := consumer.get("failing"):
        return f"paused: events fail ({failing['error']})"
    if consumer.get("paused_seconds") is not None:
        return "paused: database or broker unavailable"
    return "ok" if consumer["ok"] else "not consuming"


@app.command()
def pause(queue: Queue, why: Why = ..., directory: Folder = FOLDER, as_json: Json = False) -> None:  # type: ignore[assignment]
    """Take nothing more from a queue, in all processes and over restarts, until it is resumed.

    \b
    returpost queues pause classifier.bounce-received --why "release 1.4.1 misreads them"
    """
    _done(_call(api(directory), queue, "pause", why), as_json, f"{queue} is paused; nothing is taken from it")


@app.command()
def resume(queue: Queue, why: Why = ..., directory: Folder = FOLDER, as_json: Json = False) -> None:  # type: ignore[assignment]
    """Take from a queue again that an operator paused, or of which too many events failed.

    \b
    returpost queues resume classifier.bounce-received --why "release 1.4.2 mends it"
    """
    _done(_call(api(directory), queue, "resume", why), as_json, f"{queue} is consumed again")


@app.command()
def drain(
    queue: Queue,
    into: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File to write, from which `load` fills the queue again.")
    ] = None,
    why: Why = ...,  # type: ignore[assignment]
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Take all messages out of a paused queue, as dead letters or into a file.

    As dead letters they are looked at, exported, replayed or discarded. In a file they stand in the order of the queue,
    each with a checksum; then they are discarded as dead letters, from where they can be restored, too.

    \b
    returpost queues drain classifier.bounce-received --why "the developers want to see them"
    returpost queues drain classifier.bounce-received --into bounces.jsonl --why "to be taken tomorrow"
    """
    from returpost.cli.terminal import say

    client = api(directory)
    if into:
        drained = _into_file(client, queue, into, why, directory)
        _done(drained, as_json, f"{drained['in_file']} messages of {queue} are in {into}; back: returpost queues load")
        return
    drained = _drain(client, queue, why)
    _done(drained, as_json, f"{drained['messages']} messages of {queue} are dead letters {drained['fingerprint']}")
    if not as_json and drained["messages"]:
        say(f"to a file: returpost dead-letters export FILE --fingerprint {drained['fingerprint']}")
        say(f"back:      returpost dead-letters replay --fingerprint {drained['fingerprint']}")


@app.command()
def load(
    file: Annotated[Path, typer.Argument(help="As `drain --into` or `purge --backup` wrote it.")],
    why: Why = ...,  # type: ignore[assignment]
    yes: Yes = False,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Put the messages of a file back into their queue, in their order, once all checksums are right.

    \b
    returpost queues load bounces.jsonl --why "the classifier is mended" --yes
    """
    number = queue_files.count(file)
    if agreed(f"Load {number} messages of {file}?", yes=yes):
        queue_files.load(api(directory), file, why)
        _done({"messages": number}, as_json, f"{number} messages of {file} are in their queue again")


@app.command()
def purge(
    queue: Queue,
    backup: Annotated[
        Path, typer.Option(metavar="FILE", help="File to write, from which `load` fills the queue again.")
    ],
    why: Why = ...,  # type: ignore[assignment]
    yes: Yes = False,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Empty a paused queue, never without a backup: what was in it is in the file.

    \b
    returpost queues purge blocklist.block-set --backup commands.jsonl --why "test commands" --yes
    """
    if agreed(f"Purge {queue}?", yes=yes):
        drained = _into_file(api(directory), queue, backup, why, directory)
        _done(drained, as_json, f"{queue} is empty; its {drained['in_file']} messages are in {backup}")


@app.command()
def move(
    queue: Queue,
    into: Annotated[str, typer.Option(help="Queue that takes the same events.")],
    why: Why = ...,  # type: ignore[assignment]
    yes: Yes = False,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Move the messages of a paused queue into another. What that queue would refuse stays a dead letter.

    \b
    returpost queues move actions.bounce-classified --into blocklist.bounce-classified --why "a lost queue" --yes
    """
    client = api(directory)
    if agreed(f"Move all of {queue} into {into}?", yes=yes):
        drained = _drain(client, queue, why)
        how = {"into": into, "canary": 0, "slow_start": False, "stop_after": None}
        state = _act(client, "replay", drained, why, **how) if drained["messages"] else None
        _done({**drained, "job": state}, as_json, f"{drained['messages']} messages of {queue} were moved into {into}")


def _drain(client: Api, queue: str, why: str) -> dict[str, Any]:
    messages = letters = 0
    while True:
        drained: dict[str, Any] = _call(client, queue, "drain", why)
        messages, letters = messages + drained["messages"], letters + drained["dead_letters"]
        if not drained["messages"]:
            return drained | {"messages": messages, "dead_letters": letters}


def _into_file(client: Api, queue: str, file: Path, why: str, directory: Path) -> dict[str, Any]:
    """Drain into a file. What is not safe in it stays a dead letter."""
    with queue_files.new_file(file) as target:
        try:
            drained = _drain(client, queue, why)
        except ReturpostError:  # what was drained until then is a dead letter
            file.unlink()
            raise
        fingerprint = drained["fingerprint"]
        _wait_until_kept(client, {"fingerprint": fingerprint, "queue": queue}, drained["dead_letters"])
        written = queue_files.write(target, file, Installation(directory), queue, fingerprint, why)
    state = _act(client, "discard", drained, why, confirm=written) if written else None
    return {**drained, "in_file": written, "file": str(file), "job": state}


def _act(client: Api, action: str, drained: dict[str, Any], why: str, **how: Any) -> dict[str, Any]:
    """Start a job over what was drained, once replay has kept all of it."""
    selection = {"fingerprint": drained["fingerprint"], "queue": drained["queue"]}
    _wait_until_kept(client, selection, drained["dead_letters"])
    body = encode({"selection": selection, **how})
    plan = client.call("replay", "POST", "/v1/dead-letters/plan", {"action": action}, body)
    wanted = {"selection": selection, "why": why, "confirm": plan["dead_letters"], "id": str(uuid4()), **how}
    job = client.call("replay", "POST", f"/v1/dead-letters/{action}", None, encode(wanted))
    return follow(client, job["job"], plan["dead_letters"])


def _wait_until_kept(client: Api, selection: dict[str, Any], number: int) -> None:
    """Wait until replay has kept what was drained; equal messages are one dead letter, so that fewer may come."""
    count, quiet_since = -1, time.monotonic()
    while count < number and time.monotonic() - quiet_since < QUIET_SECONDS:
        before, count = count, client.get("replay", "/v1/dead-letters", limit=1, **selection)["total"]
        if count != before:
            quiet_since = time.monotonic()
        time.sleep(POLL_SECONDS)


def _call(client: Api, queue: str, action: str, why: str) -> dict[str, Any]:
    service = queue.partition(".")[0]
    if service not in SERVICES:
        raise InvalidSettings(f"{queue!r} is no queue of a service; `returpost queues list --all` shows them")
    found: dict[str, Any] = client.call(
        service, "POST", f"/v1/consumers/{quote(queue, safe='')}/{action}", {"why": why}
    )
    return found


def _done(state: dict[str, Any], as_json: bool, words: str) -> None:
    from returpost.cli.terminal import print_json, say

    if as_json:
        print_json(state)
    else:
        say(words)
