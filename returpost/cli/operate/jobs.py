"""`returpost jobs`: what operators started; list, show, follow, pause, resume, stop. Shown while they run."""

import json
import sys
import time
from typing import Annotated, Any

import typer

from returpost.cli.exit_codes import Undecided
from returpost.cli.http.api import Api
from returpost.cli.options import FOLDER, Folder, Json, api
from returpost.errors import InvalidSettings, ReturpostError

POLL_SECONDS = 0.3
OVER = ("finished", "failed", "stopped", "paused")

Job = Annotated[str, typer.Argument(metavar="ID", help="Of the job, as `returpost jobs list` shows it.")]
Why = Annotated[str, typer.Option(help="Why; the audit keeps it.")]

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Replays and other jobs: look, pause, resume, stop.")


@app.command("list")
def list_jobs(
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many, newest first.")] = 20,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """List what operators did, newest first.

    \b
    returpost jobs list
    """
    from returpost.cli.terminal import out, print_json, table

    found = api(directory).get("replay", "/v1/jobs", limit=limit)["items"]
    if as_json:
        print_json(found)
        return
    columns = ("id", "kind", "state", "total", "done", "pending", "processed", "failed", "requested_by", "why")
    out.print(table(None, columns, [[row[column] for column in columns] for row in found]))


@app.command()
def show(identity: Job, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Show one job and how far it is.

    \b
    returpost jobs show 1b7f0f4e-0000-4000-8000-000000000000
    """
    from returpost.cli.terminal import out, print_json

    found = api(directory).get("replay", f"/v1/jobs/{identity}")
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        if value not in (None, "", []):
            out.print(f"{name:14} {value}", markup=False)


@app.command("follow")
def follow_job(identity: Job, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Follow a job until it ends or pauses.

    \b
    returpost jobs follow 1b7f0f4e-0000-4000-8000-000000000000
    """
    from returpost.cli.terminal import print_json

    client = api(directory)
    state = follow(client, identity, client.get("replay", f"/v1/jobs/{identity}")["total"])
    if as_json:
        print_json(state)


@app.command()
def pause(identity: Job, why: Why = "", directory: Folder = FOLDER) -> None:
    """Pause a job; what is sent already is still heard of.

    \b
    returpost jobs pause 1b7f0f4e-0000-4000-8000-000000000000
    """
    api(directory).call("replay", "POST", f"/v1/jobs/{identity}/pause", {"why": why})


@app.command()
def resume(identity: Job, why: Why = "", directory: Folder = FOLDER) -> None:
    """Let a paused job go on, slowly at first.

    \b
    returpost jobs resume 1b7f0f4e-0000-4000-8000-000000000000
    """
    api(directory).call("replay", "POST", f"/v1/jobs/{identity}/resume", {"why": why})


@app.command()
def stop(identity: Job, why: Why = "", directory: Folder = FOLDER) -> None:
    """Stop a job for good; what it has not sent stays dead.

    \b
    returpost jobs stop 1b7f0f4e-0000-4000-8000-000000000000
    """
    api(directory).call("replay", "POST", f"/v1/jobs/{identity}/stop", {"why": why})


def encode(value: Any) -> bytes:
    """Return the body of a request."""
    return json.dumps(value).encode()


def agreed(question: str, *, yes: bool) -> bool:
    """Ask at a terminal; elsewhere `--yes` must have been given. Raises `InvalidSettings` when it was not."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise InvalidSettings(f"{question} Not a terminal: confirm with --yes")
    return typer.confirm(question)


def follow(client: Api, job: str, total: int) -> dict[str, Any]:
    """Show a job, its rate and the time left until it ends, and return its end.

    Raises `Undecided` when it pauses because some failed again, `ReturpostError` when it fails.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from returpost.cli.terminal import err

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[outcome]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    err.print(f"Ctrl-C stops looking, not the job: `returpost jobs stop {job}` does.", highlight=False)
    with Progress(*columns, console=err) as progress:
        task = progress.add_task(f"job {job[:8]}", total=total or None, outcome="")
        while True:
            state: dict[str, Any] = client.get("replay", f"/v1/jobs/{job}")
            speed = progress.tasks[0].speed
            progress.update(task, completed=state["done"], outcome=outcome_of(state, speed))
            if state["state"] in OVER:
                break
            time.sleep(POLL_SECONDS)
    if state["state"] == "paused":
        raise Undecided(f"job {job} is paused: {state['error'] or 'by an operator'}")
    if state["state"] == "failed":
        raise ReturpostError(f"job {job} failed: {state['error']}")
    err.print(f"{state['state']}: {state['done']} done{outcome_of(state, None)}")
    return state


def outcome_of(state: dict[str, Any], speed: float | None) -> str:
    """Say what became of the dead letters of a replay, and how fast it goes."""
    parts = [f"{speed:.0f}/s"] if speed else []
    if state["kind"] == "replay":
        parts += [f"{state['processed']} processed", f"{state['failed']} failed again", f"{state['pending']} pending"]
    return f"  {', '.join(parts)}" if parts else ""
