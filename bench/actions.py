"""Actions: bulk operations over 1,000,000 addresses, and the views over a mailing of as many.

    python -m bench.actions --scale 0.05 --json actions.json

It starts a system of its own and fills it: a mailing with 1,000,000 recipients (times the scale), nine in ten with a
contact, all of them blocked, and returned in another mailing. See README.md.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import asyncpg
import httpx
import psutil
from rich.console import Console
from rich.table import Table

from bench import command
from bench.filling import DEAD, FILL, MAILING, MAILINGS, TENANT
from bench.own_system import own_system, percentile
from bench.processes import MEBIBYTE, Processes
from bench.viewing import pages, sums
from returpost.home import Home, Running
from returpost.system import Options
from shared.security import ALL_TENANTS

ROWS = 1_000_000
LEAST = 10_000
TIMES = 3
"""How often each page is asked for, one after another."""
OTHERS_PAUSE = 0.05
"""Seconds between two of the other requests."""
WANTED = {
    "copy_s": "<= 60", "clear_s": "<= 120", "csv_s": "<= 30", "excel_s": "<= 150", "rss_mb_max": "<= 250",
    "view_p95_ms": "<= 150", "other_p99_ms": "<= 200",
}  # fmt: skip
LIFTED = "SELECT NOT EXISTS (SELECT FROM actions.address_states WHERE tenant = $1 AND blocked)"


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
    rss_mb_max: float = 0.0
    """Of actions and the processes that it starts, together."""
    view_p95_ms: float = 0.0
    view_max_ms: float = 0.0
    sums_p95_ms: float = 0.0
    """Counts and groups."""
    other_p99_ms: float = 0.0
    """Of other requests while operations run."""
    previews: dict[str, float] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    """Pages above what is wanted, in ms."""
    counting_s: float = 0.0
    """Counting the statistics of the mailing."""


class Run:
    """One run over one system."""

    def __init__(self, running: Running, home: Home, token: str, scale: float, say: Callable[[str], None]) -> None:
        self.findings = Findings(rows=max(int(ROWS * scale), LEAST))
        self._running = running
        self._processes = Processes(home.folder)
        self._say = say
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.AsyncClient(
            base_url=running.urls["actions"], params={"tenant": TENANT}, headers=headers, timeout=900
        )
        self._others: list[float] = []

    async def work(self) -> int:
        """Fill and measure."""
        async with self._http:
            self._processes.find()
            await self._fill()
            async with self._watched():
                await self._views()
                chosen = {"filter": {"view": "returned", "mailing": DEAD}}
                async with self._others_served():
                    await self._measure(chosen)
                self.findings.other_p99_ms = percentile(self._others, 99) * 1000
        return 0

    async def _measure(self, chosen: dict[str, Any]) -> None:
        found = self.findings
        found.copy_s = await self._operation("copy_to_selection", chosen, {"name": "All that were returned"})
        found.csv_s = await self._operation("export", chosen, {"format": "csv"})
        found.excel_s = await self._operation("export", chosen, {"format": "xlsx"})
        started = time.perf_counter()
        await self._operation("clear_bounce_flag", chosen, {})
        database = await asyncpg.connect(self._running.database_url)
        await _until(database, LIFTED, TENANT)
        await database.close()
        found.clear_s = time.perf_counter() - started

    async def _fill(self) -> None:
        rows, step = self.findings.rows, 100_000
        database = await asyncpg.connect(self._running.database_url, command_timeout=3_600)
        for statement in FILL:
            self._say(f"filling {statement.split()[2]}")
            for first in range(0, rows, step):
                await database.execute(statement, TENANT, first, min(first + step, rows) - 1)
        await database.execute(MAILINGS, TENANT)
        self._say("VACUUM ANALYZE")
        await database.execute("VACUUM ANALYZE")
        await database.execute("INSERT INTO actions.statistics_due VALUES ($1, 'mailing', $2)", TENANT, MAILING)
        took = "SELECT took FROM actions.statistics_runs WHERE tenant = $1 AND counted_at > '-infinity'"
        self.findings.counting_s = await _until(database, took, TENANT)
        await database.close()

    async def _views(self) -> None:
        self._say("views")
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

    async def _operation(self, operation: str, chosen: dict[str, Any], parameters: dict[str, Any]) -> float:
        """Preview, confirm and wait; return the seconds that all of it took."""
        self._say(f"{operation} {parameters}")
        started = time.perf_counter()
        body = {"operation": operation, "chosen": chosen, "parameters": parameters}
        preview = (await self._http.post("/v1/operations", json=body)).raise_for_status().json()
        assert preview["rows"] == self.findings.rows, preview
        place = f"/v1/operations/{preview['id']}"
        (await self._http.post(f"{place}/confirm", json={"token": preview["token"]})).raise_for_status()
        self.findings.previews[f"{operation} {parameters.get('format', '')}".strip()] = time.perf_counter() - started
        while (seen := (await self._http.get(place)).json())["state"] != "finished":
            assert seen["state"] in ("queued", "running"), seen
            await asyncio.sleep(0.2)
        return time.perf_counter() - started

    @asynccontextmanager
    async def _others_served(self) -> AsyncIterator[None]:
        """Ask for other things all the while, one after another."""
        asked: tuple[tuple[str, dict[str, Any]], ...] = (
            ("/v1/views/recipients", {"mailing": MAILING}),
            ("/v1/contacts/c17", {}),
            ("/v1/operations", {}),
            ("/v1/statistics", {}),
        )

        async def ask() -> None:
            while True:
                for path, query in asked:
                    self._others.append(await self._get(path, query))
                    await asyncio.sleep(OTHERS_PAUSE)

        async with asyncio.TaskGroup() as group:
            asking = group.create_task(ask())
            yield
            asking.cancel()

    @asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        """Keep the highest resident memory of actions with the processes that it starts."""
        parent = self._processes.services["actions"]

        async def look() -> None:
            while True:
                size = 0.0
                for process in [parent, *parent.children(recursive=True)]:
                    try:
                        size += process.memory_info().rss / MEBIBYTE
                    except psutil.NoSuchProcess:
                        continue
                self.findings.rss_mb_max = max(size, self.findings.rss_mb_max)
                await asyncio.sleep(0.25)

        async with asyncio.TaskGroup() as group:
            looking = group.create_task(look())
            yield
            looking.cancel()


async def _until(database: Any, statement: str, *arguments: Any) -> Any:
    """Ask until the answer is something; return it."""
    while True:
        found = await database.fetchval(statement, *arguments)
        if found:
            return found
        await asyncio.sleep(0.2)


def run(scale: float, console: Console) -> Findings:
    """Start a system of its own, measure, and stop it."""
    with own_system(Options(services=("actions", "blocklist"), console_logs=False), console) as own:
        measured = Run(own.running, own.home, own.token(ALL_TENANTS), scale, console.print)
        own.measure(measured.work)
        return measured.findings


def show(findings: Findings, console: Console) -> None:
    """Print what was measured and what is wanted."""
    table = Table("figure", "measured", "wanted", title=f"Actions over {findings.rows:,} addresses")
    for name, value in asdict(findings).items():
        if isinstance(value, float):
            table.add_row(name, f"{value:,.1f}", WANTED.get(name, ""))
    for name, seconds in findings.previews.items():
        table.add_row(f"preview of {name}, s", f"{seconds:,.1f}", "")
    console.print(table)
    for name, ms in findings.slow.items():
        console.print(f"{ms:8.1f} ms  {name}")


def main() -> None:
    """Measure and tell."""
    command.measure(__doc__, run, show)


if __name__ == "__main__":
    main()
