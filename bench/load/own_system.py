"""A system of a benchmark's own: servers and services in a folder that is gone afterwards."""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console

from deploy.local.local_stack import Options, operate, system
from returpost.cli.installation import Installation, Running
from shared.http.auth import SCOPES, issue


@dataclass(frozen=True, slots=True)
class OwnSystem:
    """It runs while `measure` does; its servers stay until the block ends."""

    folder: Path
    installation: Installation
    running: Running
    operate: Callable[[Callable[[], Awaitable[int]]], Coroutine[Any, Any, int | None]]

    def token(self, tenant: str) -> str:
        """Return a token that may all."""
        key = self.installation.secrets().token_key
        return issue(key, name="bench", tenant=tenant, scopes=SCOPES, lifetime=timedelta(days=1))

    def measure(self, work: Callable[[], Awaitable[int]]) -> None:
        """Start the services, do the work, stop them. Exits with 130 when somebody interrupts it."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            ended = runner.run(self.operate(work))
        if ended is None:
            sys.exit(130)


@contextmanager
def own_system(options: Options, console: Console, keep: Path | None = None) -> Iterator[OwnSystem]:
    """Give the servers, with a home that is prepared; errors of the services are shown, the rest is written down.

    The folder `keep` stays with all that is in it, and is taken up again by the next run.
    """
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="returpost-bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        installation, logs = Installation(folder / "home"), (folder / "services.log").open("w")

        def write(program: str, line: str) -> None:
            logs.write(f"{program} | {line}\n")
            if '"level":"error"' in line:
                console.print(f"{program} | {line}")

        with logs, system(installation, options, console.print) as (running, programs):
            yield OwnSystem(
                folder, installation, running, lambda work: operate(running, programs, write, console.print, work)
            )


def percentile(seconds: Sequence[float], share: int) -> float:
    """Return the value that so many in a hundred do not exceed."""
    return sorted(seconds)[max(0, -(-len(seconds) * share // 100) - 1)]
