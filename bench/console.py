"""The web page over many blocked addresses: first paint in a real browser, sorts, filters and groups at the server.

    python -m bench.console --scale 0.05 --json console.json

It starts a system of its own, fills it with 1,000,000 blocked addresses (times the scale) of which six in ten belong to
a person, and measures. See README.md.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from playwright.async_api import Page, async_playwright
from rich.console import Console
from rich.table import Table

from bench.load import command
from bench.load.own_system import own_system, percentile
from bench.load.seed import fill
from deploy.local import install
from deploy.local.local_stack import Options
from returpost.cli.installation import Running
from shared.database.queries import queries

BLOCKED, LEAST = 1_000_000, 2_000
TENANT, USER, PASSWORD = "bench", "marketer", "a password for the bench"
ARGUMENTS = ("--headless=new", "--disable-gpu", "--no-first-run", "--disable-background-networking")
VISITS, TIMES, DEEP = 10, 10, 20
Q = queries(Path(__file__).with_name("console.sql"))
TABLES = {
    "actions.recipients": "recipients",
    "actions.address_states": "states",
    "actions.contacts": "contacts",
    "actions.contact_addresses": "addresses",
    "actions.owners": "owners",
}
"""By which statement each is filled."""
SORTS = ("address", "name", "company", "cause", "reason", "mailing", "return_count", "blocked_since")
"""What the page sorts blocked addresses by; code and time sent are the mailing's, and not among them."""
FILTERS: dict[str, dict[str, str]] = {
    "reason": {"reason": "domain_unknown"},
    "domain": {"domain": "mail77.example"},
    "company": {"company": "firma 77"},
    "day": {"day": "2026-07-15"},
    "person": {"contact": "true"},
    "no person": {"contact": "false"},
    "beginning of an address": {"q": "user777"},
    "words of a name": {"q": "etternavn77"},
    "nothing fits": {"q": "nobody"},
    "reason and company": {"reason": "mailbox_full", "company": "firma 77"},
}
GROUPS = ("reason", "domain", "company", "mailing", "day")
WANTED = {"first paint, p95": 1_000.0, "rows shown, p95": 1_000.0}
PAINTED = "() => [performance.getEntriesByName('first-contentful-paint')[0].startTime, performance.now()]"
SORTED = 300.0
"""Milliseconds that a sort or a filter may take at the server."""


@dataclass
class Findings:
    """Milliseconds by what was done: the median and the 95th percentile."""

    blocked: int = 0
    page: dict[str, float] = field(default_factory=dict)
    server: dict[str, tuple[float, float]] = field(default_factory=dict)


class Run:
    """One run over one system."""

    def __init__(self, running: Running, token: str, blocked: int, say: Callable[[str], None]) -> None:
        self.findings = Findings(blocked)
        self._running, self._token, self._say = running, token, say

    async def work(self, *, page: bool) -> int:
        """Fill and measure."""
        await self._fill()
        headers = {"Authorization": f"Bearer {self._token}"}
        async with httpx.AsyncClient(base_url=self._running.urls["actions"], headers=headers, timeout=120) as http:
            body = {"name": USER, "role": "marketer", "password": PASSWORD}
            (await http.post("/v1/users", json=body)).raise_for_status()
            await self._server(http)
        if page:
            await self._page()
        return 0

    async def _fill(self) -> None:
        url = self._running.database_url
        await fill(url, {table: (Q[name],) for table, name in TABLES.items()}, TENANT, self.findings.blocked, self._say)
        database = await asyncpg.connect(url)
        await database.execute(Q["mailings"], TENANT)
        await database.close()

    async def _server(self, http: httpx.AsyncClient) -> None:
        for sort in SORTS:
            for descending in (False, True):
                name = f"sort by {sort}, {'down' if descending else 'up'}"
                await self._ask(http, name, "", {"sort": sort, "descending": str(descending).lower()})
        for name, wanted in FILTERS.items():
            asked = {"sort": "blocked_since", "descending": "true"} | wanted
            await self._ask(http, f"filter: {name}", "", asked)
            await self._ask(http, f"count: {name}", "/count", wanted)
        await self._ask(http, "count: all", "/count", {})
        for group in GROUPS:
            await self._ask(http, f"group by {group}", "/groups", {"by": group})
        await self._deep(http)

    async def _ask(self, http: httpx.AsyncClient, name: str, what: str, asked: dict[str, str]) -> None:
        self._say(name)
        seconds = []
        for _ in range(TIMES):
            started = time.perf_counter()
            answer = await http.get(f"/v1/views/blocked{what}", params=asked)
            seconds.append(time.perf_counter() - started)
            answer.raise_for_status()
        self.findings.server[name] = percentile(seconds, 50) * 1000, percentile(seconds, 95) * 1000

    async def _deep(self, http: httpx.AsyncClient) -> None:
        """Turn pages: the last costs what the first did."""
        asked, seconds = {"sort": "name"}, []
        for _ in range(DEEP):
            started = time.perf_counter()
            told = (await http.get("/v1/views/blocked", params=asked)).raise_for_status().json()
            seconds.append(time.perf_counter() - started)
            if told["next_cursor"] is None:
                break
            asked["cursor"] = told["next_cursor"]
        self.findings.server["next page by name"] = percentile(seconds, 50) * 1000, percentile(seconds, 95) * 1000

    async def _page(self) -> None:
        found = install.chromium()
        if found is None:
            self._say("Chromium is not there, and cannot be had: the page is not measured")
            return
        url = self._running.urls["console"]
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=str(found), args=[*ARGUMENTS, *sandbox])
            page = await (await browser.new_context(locale="nb-NO")).new_page()
            await page.goto(f"{url}/sign-in")
            await page.fill("input[name=name]", USER)
            await page.fill("input[name=password]", PASSWORD)
            await page.click("button.primary")
            await page.wait_for_url(f"{url}/")
            paints, rows = [], []
            for _ in range(VISITS):
                painted, shown = await _visit(page, f"{url}/blocked")
                paints.append(painted)
                rows.append(shown)
            sorted_ = [await _click(page) for _ in range(VISITS)]
            await browser.close()
        for name, seconds in (
            ("first paint", paints),
            ("rows shown", rows),
            ("click on a column, until sorted", sorted_),
        ):
            self.findings.page |= {f"{name}, p{share}": percentile(seconds, share) * 1000 for share in (50, 95)}


async def _visit(page: Page, url: str) -> tuple[float, float]:
    """Return the seconds from the beginning of the navigation to the first contentful paint, and to the rows."""
    await page.goto(url)
    await page.wait_for_selector("tr.item")
    told: Any = await page.evaluate(PAINTED)
    return told[0] / 1000, told[1] / 1000


async def _click(page: Page) -> float:
    """Return the seconds from a click on the column of names until the table has turned round."""
    before = await page.locator("tr.item").first.get_attribute("data-id")
    started = time.perf_counter()
    await page.locator("th button", has_text="Navn").first.click()
    await page.wait_for_function("id => document.querySelector('tr.item')?.dataset.id !== id", arg=before)
    return time.perf_counter() - started


def run(scale: float, console: Console, *, page: bool) -> Findings:
    """Start a system of its own, measure, and stop it."""
    with own_system(Options(services=("actions", "console"), console_logs=False), console) as own:
        measured = Run(own.running, own.token(TENANT), max(int(BLOCKED * scale), LEAST), console.print)
        own.measure(lambda: measured.work(page=page))
        return measured.findings


def show(findings: Findings, console: Console) -> None:
    """Print what was measured and what is wanted."""
    table = Table(
        "what", "p50 ms", "p95 ms", "wanted", title=f"The web page over {findings.blocked:,} blocked addresses"
    )
    for name, value in findings.page.items():
        wanted = f"p95 <= {WANTED[name]:,.0f}" if name in WANTED else ""
        if name.endswith("p50"):
            median = f"{value:,.0f}"
        else:
            table.add_row(name.removesuffix(", p95"), median, f"{value:,.0f}", wanted)
    for name, (middle, most) in findings.server.items():
        wanted = f"p95 <= {SORTED:,.0f}" if name.startswith(("sort", "filter", "next")) else ""
        table.add_row(name, f"{middle:,.0f}", f"{most:,.0f}", wanted)
    console.print(table)


def main() -> None:
    """Measure and tell."""
    parser = command.arguments(__doc__)
    parser.add_argument("--server", action="store_true", help="measure what the server answers, and not the page")
    given = command.read(parser)
    console = Console(stderr=True)
    findings = run(given.scale, console, page=not given.server)
    show(findings, console)
    command.write(given.json, findings)


if __name__ == "__main__":
    main()
