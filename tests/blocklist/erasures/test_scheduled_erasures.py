"""An erasure waits where the tenant has it so: until it is due nothing changes, and it can be undone."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from returpost.contracts import AddressErase
from returpost.contracts.cloudevents import event
from services.blocklist.address_state.repository.postgres import PostgresRepository
from services.blocklist.address_state.scheduled_erasures import erase_due, schedule
from services.blocklist.app import create
from services.blocklist.settings import Settings
from shared.database.pool import connect
from shared.http.auth import ALL_TENANTS
from tests.blocklist.handler_harness import Transactions
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

ANN, BOB, CID = "ann@example.com", "bob@example.com", "cid@example.com"
NOON = datetime.now(UTC)


class Clock:
    """Goes when it is told to."""

    now = NOON

    def __call__(self) -> datetime:
        return self.now

    def days(self, days: float) -> datetime:
        return NOON + timedelta(days=days)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def blocklist(harness: Harness, clock: Clock) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "blocklist", clock, expiry_interval=0.02) as running:
        (await running.http.put("/v1/settings", json={"erase_after_days": 7})).raise_for_status()
        yield running


async def post(running: RunningService, path: str, *addresses: str, **more: Any) -> Any:
    return (await running.http.post(path, json={"addresses": addresses} | more)).raise_for_status().json()


async def erase(running: RunningService, *addresses: str, **more: Any) -> datetime | None:
    due = (await post(running, "/v1/addresses/erase", *addresses, **more))["due"]
    return datetime.fromisoformat(due) if due else None


async def waiting(running: RunningService, **query: Any) -> list[str]:
    page = (await running.http.get("/v1/erasures", params=query)).raise_for_status().json()
    return [one["address"] for one in page["items"]]


async def blocked(running: RunningService) -> set[str]:
    return {one["address"] for one in (await post(running, "/v1/check", ANN, BOB, CID))["skip"]}


async def told(harness: Harness, count: int) -> list[str]:
    """Return the addresses whose erasure other services have heard of, when there are so many."""
    heard: list[str] = []

    async def hear() -> list[str]:
        heard.extend(one["data"]["address"] for one in await harness.take_events("actions.address-erased"))
        return heard

    return sorted(await eventually(hear, lambda _: len(heard) >= count))


async def test_it_waits_and_is_done_when_it_is_due(harness: Harness, blocklist: RunningService, clock: Clock) -> None:
    await post(blocklist, "/v1/blocks", ANN, BOB)
    assert await erase(blocklist, "Ann <ANN@example.com>") == clock.days(7)
    clock.now = clock.days(6.9)
    assert await erase(blocklist, ANN, BOB) == clock.days(13.9), "the last of them"
    page = (await blocklist.http.get("/v1/erasures")).json()
    assert [(one["address"], one["by"]) for one in page["items"]] == [(ANN, "test"), (BOB, "test")]
    assert datetime.fromisoformat(page["items"][0]["due"]) == clock.days(7), "as was said first"
    assert await blocked(blocklist) == {ANN, BOB}
    clock.now = clock.days(7)
    assert await told(harness, 1) == [ANN]
    assert (await blocked(blocklist), await waiting(blocklist)) == ({BOB}, [BOB])
    assert not (await blocklist.http.get(f"/v1/addresses/{ANN}")).json()["known"]
    (hashed,) = await harness.fetch("blocklist", "SELECT erased_at FROM erased_addresses")
    assert hashed["erased_at"] == clock.now, "what happens until then comes too late"


async def test_it_can_be_undone_until_then(harness: Harness, blocklist: RunningService, clock: Clock) -> None:
    await post(blocklist, "/v1/blocks", ANN, BOB)
    await erase(blocklist, ANN, BOB)
    assert await post(blocklist, "/v1/erasures/undo", "ANN@example.com", CID) == {"undone": 1, "nothing": 1}
    clock.now = clock.days(8)
    assert await told(harness, 1) == [BOB]
    assert await blocked(blocklist) == {ANN}
    assert await post(blocklist, "/v1/erasures/undo", BOB) == {"undone": 0, "nothing": 1}


async def test_it_can_be_hurried_and_a_command_does_not_wait(harness: Harness, blocklist: RunningService) -> None:
    await post(blocklist, "/v1/blocks", ANN, BOB)
    await erase(blocklist, ANN, BOB)
    assert await erase(blocklist, ANN, now=True) is None
    assert (await blocked(blocklist), await waiting(blocklist)) == ({BOB}, [BOB])
    command = AddressErase(addresses=[BOB], time=NOON, by="delete")
    await harness.command(event(command, id="delete", source="/test", tenant=TENANT))
    assert await told(harness, 2) == [ANN, BOB]
    assert (await blocked(blocklist), await waiting(blocklist)) == (set(), [])
    (await blocklist.http.put("/v1/settings", json={"erase_after_days": 0})).raise_for_status()
    assert await erase(blocklist, CID) is None
    assert (await blocklist.http.put("/v1/settings", json={"erase_after_days": 31})).status_code == 422


async def test_what_waits_is_listed_in_pages_and_found_by_traces(
    harness: Harness, blocklist: RunningService, clock: Clock
) -> None:
    token = {"Authorization": f"Bearer {harness.token(tenant=ALL_TENANTS)}"}
    operator: dict[str, Any] = {"params": {"tenant": TENANT}, "headers": token}
    many = [f"u{n}@example.com" for n in range(5)]
    for address in many:
        await erase(blocklist, address)
    clock.now = clock.days(1)
    await erase(blocklist, ANN)
    seen, after = list[str](), None
    while True:
        page = (
            await blocklist.http.get("/v1/erasures", params={"limit": 2} | ({"cursor": after} if after else {}))
        ).json()
        seen += [one["address"] for one in page["items"]]
        if (after := page["next_cursor"]) is None:
            break
    assert seen == [*many, ANN]

    async def found() -> list[str]:
        answer = await blocklist.http.post("/v1/residual-searches", json={"address": ANN}, **operator)

        return [one["table"] for one in answer.raise_for_status().json()["found"]]

    assert await found() == ["scheduled_erasures"]
    await erase(blocklist, ANN, now=True)
    assert await found() == []


async def test_each_tenant_has_its_own(harness: Harness, blocklist: RunningService, clock: Clock) -> None:
    token = {"Authorization": f"Bearer {harness.token(tenant=ALL_TENANTS)}"}
    other: dict[str, Any] = {"params": {"tenant": "other"}, "headers": token}
    (await blocklist.http.put("/v1/settings", json={"erase_after_days": 3}, **other)).raise_for_status()
    await erase(blocklist, ANN)
    (await blocklist.http.post("/v1/addresses/erase", json={"addresses": [ANN, BOB]}, **other)).raise_for_status()
    assert (await blocklist.http.post("/v1/erasures/undo", json={"addresses": [ANN]}, **other)).json()["undone"] == 1
    assert await waiting(blocklist) == [ANN]
    page = (await blocklist.http.get("/v1/erasures", **other)).json()
    assert [one["address"] for one in page["items"]] == [BOB]
    assert (await blocklist.http.get("/v1/erasures", params={"tenant": "other"})).status_code == 403
    clock.now = clock.days(3)
    assert await told(harness, 1) == [BOB]
    assert await waiting(blocklist) == [ANN]


def test_of_two_processes_each_erases_others_and_one_that_is_killed_none(database: str) -> None:
    keys = [("killed", f"u{n}@example.com") for n in range(6)]

    async def run() -> None:
        pool = await connect(database, "blocklist", size=4)
        try:
            async with pool.acquire() as connection:
                await schedule(PostgresRepository(connection), keys, "ann", 0, NOON)
            effects = Transactions(pool)

            def after() -> datetime:
                return NOON + timedelta(seconds=1)

            async with pool.acquire() as killed:
                transaction = killed.transaction()
                await transaction.start()
                taken = await PostgresRepository(killed).take_due_erasures(after(), 4)
                assert await erase_due(effects, 100, after, remember=True)
                assert {one.data.address for one in effects.published} == {a for _, a in keys} - {
                    one.address for one in taken
                }
                assert not await erase_due(effects, 100, after, remember=True)
                await transaction.rollback()
            others = [Transactions(pool), Transactions(pool)]
            while any(await asyncio.gather(*(erase_due(one, 1, after, remember=True) for one in others))):
                pass
            published = [one for each in (effects, *others) for one in each.published]
            assert sorted(one.data.address for one in published) == [address for _, address in keys]
            assert await pool.fetchval("SELECT count(*) FROM scheduled_erasures") == 0
        finally:
            await pool.close()

    asyncio.run(run())
