"""What the blocklist does to many addresses, followed until it is done. Whoever stops looking does not stop it."""

import time
from collections.abc import Callable
from typing import Any

from returpost.cli.http.api import Api
from returpost.errors import ReturpostError

LOOKS_AFTER = 0.3


def watched(state: dict[str, Any], look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Show how far it is, by `done` of `total`, until it has a time at which it ended; return it then."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from returpost.cli.terminal import err

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("addresses")
        while not state["finished_at"]:
            progress.update(task, total=state["total"], completed=state["done"])
            time.sleep(LOOKS_AFTER)
            state = look()
    return state


def followed(client: Api, tenant: str, job: dict[str, Any]) -> dict[str, Any]:
    """Watch a job. Raises `ReturpostError` when another took its place."""
    place = f"/v1/jobs/{job['id']}"
    ended = watched(job, lambda: dict(client.get("blocklist", place, tenant=tenant)))
    if ended["state"] == "superseded":
        raise ReturpostError("a later change took the place of this one before all addresses were looked at")
    return ended


def came_to(job: dict[str, Any]) -> str:
    """Say what a job that has ended did."""
    done, blocked, freed = (job[name] for name in ("done", "blocked", "freed"))
    return f"{done:,} addresses looked at: {blocked:,} blocked, {freed:,} freed"
