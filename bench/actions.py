"""Actions: bulk operations over 1,000,000 addresses, and the views over a mailing of as many.

    python -m bench.actions --scale 0.05 --json actions.json
    python -m bench.actions --data /tmp/filled --steps copy,csv --json actions.json

It starts a system of its own and fills it: a mailing with 1,000,000 recipients (times the scale), nine in ten with a
contact, all of them blocked, with what is logged of that, and returned in another mailing. With `--data` the filled
folder is kept for further runs, until a run has cleared or deleted the addresses. Each figure is written as soon as it
is measured, beside those that are in the file already. See README.md.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
from rich.console import Console
from rich.table import Table

from bench.load import command
from bench.load.own_system import own_system, percentile
from bench.load.processes import MEBIBYTE, Processes
from bench.load.seed import DEAD, FILL, MAILING, MAILINGS, TENANT, fill
from bench.load.viewing import pages, sums
from deploy.local.local_stack import Options
from returpost.cli.installation import Installation, Running
from shared.http.auth import ALL_TENANTS

ROWS = 1_000_000
LEAST = 10_000
TIMES = 3
"""How often each page is asked for, one after another."""
OTHERS_PAUSE = 0.05
"""Seconds between two of the other requests."""
STEPS: dict[str, tuple[str, dict[str, Any]]] = {
    "copy": ("copy_to_selection", {"name": "All that were returned"}),
    "csv": ("export", {"format": "csv"}),
    "excel": ("export", {"format": "xlsx"}),
    "clear": ("clear_bounce_flag", {}),
    "delete": ("delete_addresses", {}),
}
"""The operations that are measured, by the names of the figures."""
VIEWS = "views"
SPOILS = ("clear", "delete")
"""After these the data are not what others are measured on."""
WANTED = {
    "copy_s": "<= 60", "clear_s": "<= 120", "csv_s": "<= 30", "excel_s": "<= 150", "rss_mb_max": "<= 250",
    "view_p95_ms": "<= 150", "other_p99_ms": "<= 200",
}  # fmt: skip
LIFTED = "SELECT NOT EXISTS (SELECT FROM actions.address_states WHERE tenant = $1 AND blocked)"
_SAYING = "SELECT count(*) FROM %I.%I AS t WHERE t::text LIKE '%%@mail%%.example.com%%'"
TABLES = f"""SELECT format($${_SAYING}$$, schemaname, tablename)
    FROM pg_tables WHERE schemaname IN ('actions', 'blocklist')"""  # noqa: S608 - a constant of this module
"""What counts the rows of each table that say any of the addresses."""
DUE = "INSERT INTO actions.statistics_due VALUES ($1, 'mailing', $2) ON CONFLICT DO NOTHING"
COUNTED = """
    SELECT took FROM actions.statistics_runs WHERE tenant = $1 AND counted = 'mailing' AND counted_at > '-infinity'
"""


@dataclass
class Findings:
    """What was measured, by the names of the JSON."""

    rows: int = 0
    copy_s: float = 0.0
    """From the request for the preview to the end of the operation; so are the others."""
    clear_s: float = 0.0
    """To the last unblock event that actions has heard of."""
    csv_s: float = 0.0
    excel_s: float = 0.0
    delete_s: float = 0.0
    traces: int | None = None
    """Rows of any table of actions or the blocklist that say one of the addresses after the deletion."""
    rss_mb_max: float = 0.0
    """Of actions and the processes that it starts, together."""
    view_p95_ms: float = 0.0
    view_max_ms: float = 0.0
    sums_p95_ms: float = 0.0
    """Counts and groups."""
    other_p99_ms: float = 0.0
    """Of other requests while operations run: of the operation that held them up most."""
    previews: dict[str, float] = field(default_factory=dict)
    """Until the preview was confirmed, in seconds."""
    rss_mb: dict[str, float] = field(default_factory=dict)
    others_p99_ms: dict[str, float] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    """Pages above what is wanted, in ms."""
    counting_s: float = 0.0
    """Counting the statistics of the mailing."""


@dataclass(frozen=True, slots=True)
class Filled:
    """Whether a folder holds what so many rows are measured on."""

    folder: Path
    rows: int

    @property
    def _note(self) -> Path:
        return self.folder / f"filled-{self.rows}"

    def is_so(self) -> bool:
        return self._note.exists()

    def note(self) -> None:
        self._note.touch()

    def spoil(self) -> None:
        self._note.unlink(missing_ok=True)


class Run:
    """One run over one system."""

    def __init__(
        self, running: Running, installation: Installation, token: str, findings: Findings, keep: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.findings = findings
        self._running = running
        self._processes = Processes(installation.folder)
        self._keep, self._say = keep, say
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.AsyncClient(
            base_url=running.urls["actions"], params={"tenant": TENANT}, headers=headers, timeout=900
        )

    async def fill(self) -> None:
        """Fill the tables."""
        await fill(self._running.database_url, FILL, TENANT, self.findings.rows, self._say)
        database = await asyncpg.connect(self._running.database_url)
        await database.execute(MAILINGS, TENANT)
        await database.execute(DUE, TENANT, MAILING)
        self.findings.counting_s = await _until(database, COUNTED, TENANT)
        await database.close()

    async def measure(self, step: str) -> None:
        """Measure one step, and keep its figures."""
        found = self.findings
        async with self._watched(step):
            if step == VIEWS:
                await self._views()
            else:
                async with self._others_served(step):
                    setattr(found, f"{step}_s", await self._operation(step))
        found.rss_mb_max = max(found.rss_mb.values())
        found.other_p99_ms = max(found.others_p99_ms.values(), default=0.0)
        self._keep()

    async def _views(self) -> None:
        found = self.findings
        asked = await self._ask(pages(MAILING))
        every = [one for seconds in asked.values() for one in seconds]
        found.view_p95_ms, found.view_max_ms = percentile(every, 95) * 1000, max(every) * 1000
        slow = {name: round(statistics.median(seconds) * 1000, 1) for name, seconds in asked.items()}
        found.slow = {name: ms for name, ms in sorted(slow.items(), key=lambda one: -one[1]) if ms > 150}
        self._say(f"{len(asked)} pages, {len(found.slow)} of them slow")
        added = await self._ask(sums(MAILING))
        found.sums_p95_ms = percentile([one for seconds in added.values() for one in seconds], 95) * 1000

    async def _ask(self, asked: Any) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for path, query in asked:
            name = f"{path}?{httpx.QueryParams(query)}"
            found[name] = [await self._get(f"/v1/views/{path}", query) for _ in range(TIMES)]
        return found

    async def _get(self, path: str, query: dict[str, Any]) -> float:
        started = time.perf_counter()
        answer = await self._http.get(path, params=query | {"tenant": TENANT})
        answer.raise_for_status()
        return time.perf_counter() - started

    async def _operation(self, step: str) -> float:
        """Preview, confirm and wait; return the seconds that all of it took."""
        operation, parameters = STEPS[step]
        started = time.perf_counter()
        target = {"filter": {"view": "returned", "mailing": DEAD}}
        body = {"operation": operation, "target": target, "parameters": parameters}
        preview = (await self._http.post("/v1/operations", json=body)).raise_for_status().json()
        assert preview["rows"] == self.findings.rows, preview
        place = f"/v1/operations/{preview['id']}"
        (await self._http.post(f"{place}/confirm", json={"token": preview["token"]})).raise_for_status()
        self.findings.previews[step] = time.perf_counter() - started
        while (seen := (await self._http.get(place)).json())["state"] != "finished":
            assert seen["state"] in ("queued", "running"), seen
            await asyncio.sleep(0.2)
        if step == "clear":
            database = await asyncpg.connect(self._running.database_url)
            await _until(database, LIFTED, TENANT)
            await database.close()
        took = time.perf_counter() - started
        if step == "delete":
            self.findings.traces = await self._traces()
        return took

    async def _traces(self) -> int:
        database = await asyncpg.connect(self._running.database_url, command_timeout=3_600)
        found = [await database.fetchval(row[0]) for row in await database.fetch(TABLES)]
        await database.close()
        return sum(found)

    @asynccontextmanager
    async def _others_served(self, step: str) -> AsyncIterator[None]:
        """Ask for other things all the while, one after another."""
        asked: tuple[tuple[str, dict[str, Any]], ...] = (
            ("/v1/views/recipients", {"mailing": MAILING}),
            ("/v1/contacts/c17", {}),
            ("/v1/operations", {}),
            ("/v1/statistics", {}),
        )
        seconds: list[float] = []

        async def ask() -> None:
            while True:
                for path, query in asked:
                    seconds.append(await self._get(path, query))
                    await asyncio.sleep(OTHERS_PAUSE)

        async with asyncio.TaskGroup() as group:
            asking = group.create_task(ask())
            yield
            asking.cancel()
        self.findings.others_p99_ms[step] = percentile(seconds, 99) * 1000

    @asynccontextmanager
    async def _watched(self, step: str) -> AsyncIterator[None]:
        """Keep the highest resident memory of actions with the processes that it starts."""
        parent = self._processes.services["actions"]
        highest = self.findings.rss_mb
        highest[step] = 0.0

        async def look() -> None:
            while True:
                size = 0.0
                for process in [parent, *parent.children(recursive=True)]:
                    try:
                        size += process.memory_info().rss / MEBIBYTE
                    except psutil.NoSuchProcess:
                        continue
                highest[step] = max(size, highest[step])
                await asyncio.sleep(0.25)

        async with asyncio.TaskGroup() as group:
            looking = group.create_task(look())
            yield
            looking.cancel()

    async def work(self, steps: list[str], filled: Filled) -> int:
        """Fill what is not filled, and measure."""
        async with self._http:
            self._processes.find()
            if not filled.is_so():
                await self.fill()
                filled.note()
            for step in steps:
                self._say(step)
                if step in SPOILS:
                    filled.spoil()
                await self.measure(step)
        return 0


async def _until(database: Any, statement: str, *arguments: Any) -> Any:
    """Ask until the answer is something; return it."""
    while True:
        found = await database.fetchval(statement, *arguments)
        if found:
            return found
        await asyncio.sleep(0.2)


def run(given: argparse.Namespace, console: Console) -> Findings:
    """Start a system of its own, measure, and stop it."""
    findings = Findings(rows=max(int(ROWS * given.scale), LEAST))
    if given.json and given.json.exists() and (known := json.loads(given.json.read_text()))["rows"] == findings.rows:
        findings = Findings(**known)

    def keep() -> None:
        command.write(given.json, findings)

    if given.data and given.data.exists() and not Filled(given.data, findings.rows).is_so():
        shutil.rmtree(given.data)
    options = Options(services=("actions", "blocklist"), console_logs=False)
    with own_system(options, console, given.data) as own:
        measured = Run(own.running, own.installation, own.token(ALL_TENANTS), findings, keep, console.print)
        own.measure(lambda: measured.work(given.steps, Filled(own.folder, findings.rows)))
    return findings


def show(findings: Findings, console: Console) -> None:
    """Print what was measured and what is wanted."""
    table = Table("figure", "measured", "wanted", title=f"Actions over {findings.rows:,} addresses")
    for name, value in asdict(findings).items():
        if isinstance(value, float) and value:
            table.add_row(name, f"{value:,.1f}", WANTED.get(name, ""))
    if findings.traces is not None:
        table.add_row("traces", f"{findings.traces:,}", "0")
    for step, seconds in findings.previews.items():
        table.add_row(f"preview of {step}, s", f"{seconds:,.1f}", "")
    console.print(table)
    for name, ms in findings.slow.items():
        console.print(f"{ms:8.1f} ms  {name}")


def _steps(text: str) -> list[str]:
    steps = text.split(",")
    if unknown := set(steps) - {VIEWS, *STEPS}:
        raise argparse.ArgumentTypeError(f"no such step: {', '.join(sorted(unknown))}")
    return steps


def main() -> None:
    """Measure and tell."""
    parser = command.arguments(__doc__)
    every = ",".join((VIEWS, *STEPS))
    parser.add_argument("--steps", type=_steps, default=every, metavar="STEPS", help=f"what to measure: {every}")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="where the filled system is kept for another run")
    console = Console(stderr=True)
    show(run(command.read(parser), console), console)


if __name__ == "__main__":
    main()
