"""The stream of changes, read as a CRM reads it."""

import asyncio
import sys
from contextlib import aclosing, suppress
from datetime import UTC, datetime

import pytest

from returpost.amqp.streams import Since
from returpost.client import ChangeStream
from returpost.contracts import ContactChanged
from returpost.contracts.cloudevents import Event, event
from tests.support.harness import PATIENCE, TENANT, Harness

pytestmark = [pytest.mark.anyio, pytest.mark.services]
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def changed(tenant: str, contact: str, version: int) -> Event[ContactChanged]:
    data = ContactChanged(contact=contact, what="upserted", by="kari", time=NOW, version=version)
    return event(data, id=f"{tenant}-{contact}-{version}", source="/test", tenant=tenant)


async def test_a_crm_follows_what_became_of_contacts_from_where_it_stopped(harness: Harness) -> None:
    async def read(since: Since, parts: int) -> list[tuple[int, str]]:
        told: list[tuple[int, str]] = []
        async with aclosing(ChangeStream(harness.amqp_url, TENANT).read(since)) as arriving:
            async for part in arriving:
                told += [(part.offset, item.id) for item in part.events]
                if len(told) == parts:
                    break
        return told

    for item in (
        changed(TENANT, "c1", 1),
        changed("other", "c1", 1),
        changed(TENANT, "c2", 1),
        changed(TENANT, "c1", 2),
    ):
        await harness.send(item)
    assert await read("first", 3) == [(0, "acme-c1-1"), (2, "acme-c2-1"), (3, "acme-c1-2")]
    assert await read(1, 2) == [(2, "acme-c2-1"), (3, "acme-c1-2")]


PROGRAM = """
import asyncio, sys
from contextlib import aclosing, suppress
from returpost.client import ChangeStream

async def read(begun):
    async with aclosing(ChangeStream(sys.argv[1]).read("first")) as arriving:
        async for _ in arriving:
            begun.set()
            break

async def program(pause):
    begun = asyncio.Event()
    readers = [asyncio.create_task(read(begun)) for _ in range(6)]
    await begun.wait()
    await asyncio.wait(readers, timeout=pause)

for pause in range(20):
    asyncio.run(program(pause / 1_000))
"""
"""Has readers that connect, that read and that leave, and ends with all of them as they are, twenty times."""


async def test_a_program_that_ends_while_it_reads_does_end(harness: Harness) -> None:
    await harness.send(changed(TENANT, "c1", 1))
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, harness.amqp_url, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(2 * PATIENCE):
            assert await program.wait() == 0
    finally:
        with suppress(ProcessLookupError):
            program.kill()
        await program.wait()
