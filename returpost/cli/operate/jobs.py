"""Jobs of the replay service, as an operator sees them: asked before, shown while they run."""

import json
import sys
import time
from typing import Any

import typer

from returpost.cli.http.api import Api
from returpost.errors import InvalidSettings, ReturpostError

POLL_SECONDS = 0.3


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


def follow(client: Api, job: str, total: int) -> None:
    """Show a job until it ends. Raises `ReturpostError` when it fails."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from returpost.cli.terminal import err

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as progress:
        task = progress.add_task(f"job {job[:8]}", total=total or None)
        while True:
            state = client.get("replay", f"/v1/jobs/{job}")
            progress.update(task, completed=state["done"])
            if state["state"] != "running":
                break
            time.sleep(POLL_SECONDS)
    if state["state"] == "failed":
        raise ReturpostError(f"job {job} failed: {state['error']}")
    err.print(f"{state['state']}: {state['done']} done")
