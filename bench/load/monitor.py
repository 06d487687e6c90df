"""Watching a running system from outside: its metrics until all is done, and its tables for the oracle."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping

import asyncpg
import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench.load.oracle import Expected, differences

POLL_SECONDS = 1.0
"""Between two looks while there is much to come: reading the metrics of all services takes the processor from them."""
NEAR_POLL_SECONDS = 0.05
NEAR = 0.02
"""Share of the events that are still to come from which on it is looked at more often, to see when the last is done."""
STUCK_AFTER = 60.0
"""Seconds without any progress after which the run has failed."""

Events = Counter[tuple[str, str]]


async def events_so_far(client: httpx.AsyncClient, urls: Mapping[str, str]) -> Events:
    """Return how many events each queue's consumer has done, by queue and outcome."""
    pages = await asyncio.gather(*(client.get(f"{url}/metrics") for url in urls.values()))
    return Counter({
        (sample.labels["queue"], sample.labels["outcome"]): int(sample.value)
        for page in pages
        for family in text_string_to_metric_families(page.text)
        if family.name == "returpost_events_in"
        for sample in family.samples
        if sample.name.endswith("_total")
    })  # fmt: skip


async def until_done(
    urls: Mapping[str, str], before: Events, wanted: Events, look: Callable[[Events], None]
) -> tuple[Events, float]:
    """Wait until every queue has had its events since `before`; return all that were done, and when.

    Raises `RuntimeError` when nothing moves any more.
    """
    last: Events = Counter()
    moved = time.monotonic()
    async with httpx.AsyncClient(timeout=30) as client:
        while True:
            done = await events_so_far(client, urls)
            now = time.monotonic()
            done.subtract(before)
            look(done)
            missing = {place: count - done[place] for place, count in wanted.items() if done[place] < count}
            if not missing:
                return done, now
            if done != last:
                last, moved = done, now
            elif now - moved > STUCK_AFTER:
                raise RuntimeError(f"nothing moves any more; still to come, by queue and outcome: {missing}")
            near = sum(missing.values()) <= NEAR * sum(wanted.values())
            await asyncio.sleep(NEAR_POLL_SECONDS if near else POLL_SECONDS)


BLOCKS_DIFFER = """
    WITH made AS (SELECT address FROM blocklist.addresses WHERE tenant = $1 AND cause IS NOT NULL),
         heard AS (SELECT address FROM actions.address_states WHERE tenant = $1 AND blocked),
         known AS (SELECT address FROM classifier.blocks WHERE tenant = $1 AND blocked)
    SELECT count(*) FROM (
        (TABLE made EXCEPT TABLE heard) UNION ALL (TABLE heard EXCEPT TABLE made)
        UNION ALL (TABLE made EXCEPT TABLE known) UNION ALL (TABLE known EXCEPT TABLE made)
    ) AS different
"""


async def settled(database_url: str, tenant: str) -> float:
    """Wait until actions and classifier know of every block; return when. Raises `RuntimeError` when they never do."""
    database = await asyncpg.connect(database_url)
    deadline = time.monotonic() + STUCK_AFTER
    while differ := await database.fetchval(BLOCKS_DIFFER, tenant):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{differ} blocks have not reached actions or classifier")
        await asyncio.sleep(NEAR_POLL_SECONDS)
    ended = time.monotonic()
    await database.close()
    return ended


async def compare(database_url: str, tenant: str, expected: Expected) -> list[str]:
    """Hold the tables of every service against the oracle; return what differs, a line each."""
    database = await asyncpg.connect(database_url)
    standings = await database.fetch(
        "SELECT address, return_count, cause FROM blocklist.addresses WHERE tenant = $1", tenant
    )
    recipients = await database.fetch(
        "SELECT mailing, address, status FROM actions.recipients WHERE tenant = $1", tenant
    )
    retries = await database.fetch("SELECT mailing, address FROM classifier.retries WHERE tenant = $1", tenant)
    states = await database.fetch("SELECT address FROM actions.address_states WHERE tenant = $1 AND blocked", tenant)
    await database.close()
    found = differences(
        expected,
        {row["address"]: (row["return_count"], row["cause"]) for row in standings},
        {(row["mailing"], row["address"]): row["status"] for row in recipients},
        {(row["mailing"], row["address"]) for row in retries},
    )
    blocked = {address for address, (_, cause) in expected.standings.items() if cause}
    return found + [f"actions' state of {address}" for address in blocked ^ {row["address"] for row in states}]
