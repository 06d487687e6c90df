"""What is known of recipients, addresses and contacts, over the database: no order and no repeat changes it."""

import asyncio
import random
from collections.abc import Sequence
from itertools import count, groupby
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from returpost.contracts import ContactChanged
from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import UnblockCause
from shared.database.pool import Pool, connect
from tests.actions.builders import (
    address,
    apply,
    apply_in_background,
    blocked,
    contact_upsert,
    erased,
    moment,
    request,
    result,
    unblocked,
    verdict,
    wait_for_lock,
)
from tests.support.harness import TENANT

pytestmark = [pytest.mark.anyio, pytest.mark.services]

RESULTS = ("sent", "delivered", "deferred", "bounced", "opened", "complained", "unsubscribed")
VERDICTS = ("hard", "soft", "exhausted", "none")
Happened = tuple[str, int, int, str]
"""What, to which address, in which minute, in which mailing."""
TENANTS = (f"t{n}" for n in count())


def as_event(happened: Happened, tenant: str) -> Event[Any]:
    what, n, minute, mailing = happened
    say = result if what in RESULTS else verdict
    return say(what, n, minute, mailing, tenant=tenant)


def expected(seen: Sequence[tuple[str, int]]) -> str:
    """Return the status of one recipient, said as naively as can be, of (what, minute)."""
    last = {what: max(minute for other, minute in seen if other == what) for what, _ in seen}
    ranks = {"hard": 3, "exhausted": 2, "soft": 1}
    verdicts = [(minute, ranks[what], what) for what, minute in last.items() if what in ranks]
    returned_at, _, returned = max(verdicts, default=(-1, 0, ""))
    if "complained" in last:
        return "complained"
    if returned in ("hard", "exhausted") and returned_at > max(last.get("delivered", -1), last.get("opened", -1)):
        return "hard_bounced"
    if "opened" in last:
        return "opened"
    if returned == "soft" and returned_at > last.get("delivered", -1):
        return "soft_bounced"
    if "delivered" in last:
        return "delivered"
    if last.keys() & {"sent", "deferred", "bounced"}:
        return "sent"
    return "unsubscribed" if "unsubscribed" in last else "ready"


async def table(pool: Pool, tenant: str) -> list[tuple[Any, ...]]:
    rows = await pool.fetch("SELECT * FROM recipients WHERE tenant = $1 ORDER BY mailing, address", tenant)
    mailings = await pool.fetch("SELECT * FROM mailings WHERE tenant = $1 ORDER BY mailing", tenant)
    return [tuple(row)[1:] for row in (*rows, *mailings)]


async def play(pool: Pool, events: Sequence[Event[Any]], size: int) -> None:
    for _, run in groupby(events, key=lambda one: type(one.data)):
        rest = list(run)
        while rest:
            await apply(pool, *rest[:size])
            rest = rest[size:]


STATUS: tuple[tuple[list[tuple[str, int]], str | None], ...] = (
    ([("sent", 0)], "sent"),
    ([("deferred", 0)], "sent"),
    ([("sent", 0), ("bounced", 1)], "sent"),
    ([("sent", 0), ("bounced", 1), ("hard", 1)], "hard_bounced"),
    ([("bounced", 1), ("soft", 1)], "soft_bounced"),
    ([("soft", 1), ("soft", 2), ("exhausted", 3)], "hard_bounced"),
    ([("soft", 1), ("delivered", 2)], "delivered"),
    ([("delivered", 1), ("soft", 2)], "soft_bounced"),
    ([("delivered", 1), ("hard", 2)], "hard_bounced"),
    ([("hard", 1), ("delivered", 2)], "delivered"),
    ([("hard", 1), ("opened", 2)], "opened"),
    ([("opened", 1), ("hard", 2)], "hard_bounced"),
    ([("opened", 1), ("soft", 2)], "opened"),
    ([("sent", 0), ("delivered", 1), ("opened", 2)], "opened"),
    ([("opened", 2), ("complained", 3), ("hard", 4)], "complained"),
    ([("none", 1)], None),
    ([("delivered", 1), ("none", 2)], "delivered"),
    ([("unsubscribed", 1)], "unsubscribed"),
    ([("delivered", 1), ("unsubscribed", 2)], "delivered"),
    ([("soft", 1), ("hard", 1)], "hard_bounced"),
)


async def test_status(pool: Pool, subtests: pytest.Subtests) -> None:
    for happened, status in STATUS:
        events = [as_event((what, 1, minute, "m1"), TENANT) for what, minute in happened]
        with subtests.test(happened=happened):
            for order in (events, events[::-1], events + events):
                await pool.execute("TRUNCATE recipients, mailings")
                await play(pool, order, 1)
                rows = await pool.fetch("SELECT address, status FROM recipients")
                assert [tuple(row) for row in rows] == ([("u1@example.com", status)] if status else [])
            if status:
                assert expected(happened) == status


def test_order_repeats_and_batches_change_nothing(database: str) -> None:
    happened = st.tuples(
        st.sampled_from(RESULTS + VERDICTS), st.integers(0, 1), st.integers(0, 4), st.sampled_from(("m1", "m2"))
    )
    with asyncio.Runner() as runner:
        pool = runner.run(connect(database, "actions", size=2))

        async def outcome(seen: Sequence[Happened], size: int) -> tuple[str, list[tuple[Any, ...]]]:
            tenant = next(TENANTS)
            await play(pool, [as_event(one, tenant) for one in seen], size)
            return tenant, await table(pool, tenant)

        @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.lists(happened, max_size=25), st.integers(1, 12), st.randoms(use_true_random=False))
        def law(seen: list[Happened], size: int, chance: random.Random) -> None:
            tenant, found = runner.run(outcome(seen, size))
            again = [*seen, *chance.sample(seen, len(seen) // 2)]
            chance.shuffle(again)
            assert runner.run(outcome(again, chance.randint(1, 12)))[1] == found
            rows = runner.run(pool.fetch("SELECT mailing, address, status FROM recipients WHERE tenant = $1", tenant))
            wanted = {
                (mailing, address(n).lower()): expected([(w, m) for w, i, m, x in seen if (i, x) == (n, mailing)])
                for what, n, _, mailing in seen
                if what != "none"
            }
            assert {(row["mailing"], row["address"]): row["status"] for row in rows} == wanted

        law()
        runner.run(pool.close())


async def test_verdicts_of_one_moment_are_the_same_row_in_any_order(pool: Pool) -> None:
    """They differ in nothing but what the reports said."""
    events = [
        verdict("soft", 1, 1),
        verdict("soft", 1, 1, diagnostic="452 full"),
        verdict("soft", 1, 1, diagnostic="452 full", reply_code=452),
        verdict("soft", 1, 1, diagnostic="å", reply_code=452, status="4.2.2"),
        verdict("soft", 1, 1, diagnostic="z", reply_code=452, status="4.2.2", written="u1@EXAMPLE.com"),
        verdict("soft", 1, 1, diagnostic="å", reply_code=452, status="4.2.2", written="u1@example.com"),
        verdict("soft", 1, 1, diagnostic="Z", reply_code=452, status="4.2.2"),
    ]
    rows = set()
    chance = random.Random(1)
    for size in (1, 2, 6) * 6:
        chance.shuffle(events)
        await pool.execute("TRUNCATE recipients")
        await play(pool, events, size)
        rows |= {tuple(row) for row in await table(pool, TENANT)}
    assert len(rows) == 1


async def test_one_address_in_every_spelling_is_one_recipient(pool: Pool) -> None:
    await apply(pool, verdict("hard", 1, 1, written="U1@Example.COM"))
    await apply(pool, result("sent", 1, 0), result("sent", 1, 0, "m2"))
    rows = await pool.fetch("SELECT mailing, address, written, status FROM recipients ORDER BY mailing")
    assert [tuple(row) for row in rows] == [
        ("m1", "u1@example.com", "U1@example.com", "hard_bounced"),
        ("m2", "u1@example.com", None, "sent"),
    ]


async def test_the_newest_version_of_a_block_stands_in_any_order(pool: Pool) -> None:
    events = [blocked(1, 10), unblocked(1, 20), blocked(1, 30), unblocked(1, 25, cause=UnblockCause.DELIVERED)]
    chance = random.Random(2)
    for size in (1, 2, 8) * 5:
        order = events * 2
        chance.shuffle(order)
        await pool.execute("TRUNCATE address_states")
        await play(pool, order, size)
        (row,) = await pool.fetch("SELECT version, blocked, cause, reason, return_count FROM address_states")
        assert tuple(row) == (30, True, "dead_address", "user_unknown", 1)


EVERYWHERE = """
    SELECT 'recipients' AS place, address FROM recipients UNION ALL SELECT 'states', address FROM address_states
    UNION ALL SELECT 'contacts', address FROM contact_addresses
    UNION ALL SELECT 'operations', address FROM operation_rows
    UNION ALL SELECT 'before', address FROM operation_undo_values
"""


def everything(n: int, minute: int) -> list[Event[Any]]:
    """Return events that write an address everywhere."""
    return [
        result("sent", n, minute),
        verdict("hard", n, minute),
        blocked(n, 10 + minute, minute),
        unblocked(n, 20 + minute, minute, UnblockCause.ERASED),
        contact_upsert("c1", minute, addresses=[address(n), "kept@example.com"]),
        request(f"op-{n}-{minute}", [address(n), "kept@example.com"], time=moment(minute)),
    ]


async def test_erased_is_removed_everywhere_and_does_not_come_back(pool: Pool) -> None:
    before = everything(1, 5)
    for one in before:
        await apply(pool, one)
    assert {row["place"] for row in await pool.fetch(EVERYWHERE)} == {"recipients", "states", "contacts", "operations"}
    await apply(pool, erased(1, 5), erased(2, 5))
    late = [*before, *everything(1, 4), *everything(2, 5), contact_upsert("c2", 5, addresses=[address(1)])]
    for one in late:
        await apply(pool, one)
    rows = await pool.fetch(EVERYWHERE)
    assert {row["address"] for row in rows} == {"kept@example.com"}
    told_apart = await pool.fetch("SELECT to_jsonb(e)::text AS text FROM erased_addresses AS e")
    assert len(told_apart) == 2
    assert not any("example" in row["text"] for row in told_apart)


async def test_after_an_erasure_an_address_begins_anew(pool: Pool) -> None:
    await apply(pool, erased(1, 5))
    for one in everything(1, 6):
        await apply(pool, one)
    places = [row["place"] for row in await pool.fetch(EVERYWHERE) if row["address"] == "u1@example.com"]
    assert sorted(places) == ["contacts", "operations", "recipients", "states"]
    await apply(pool, *[result("sent", 1, 5, "m1", tenant="other")])
    assert await pool.fetchval("SELECT count(*) FROM recipients WHERE tenant = 'other'") == 1


async def test_an_erasure_waits_for_who_is_writing_the_address(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE recipients IN EXCLUSIVE MODE")
        writing = apply_in_background(pool, result("sent", 1, 1))
        await wait_for_lock(pool)
        erasing = apply_in_background(pool, erased(1, 5))
        await wait_for_lock(pool, 2)
    await asyncio.gather(writing, erasing)
    assert await pool.fetch("SELECT FROM recipients") == []


async def test_a_contact_is_told_of_once_for_each_change(pool: Pool) -> None:
    first, second = contact_upsert("c1", 1, name="Ann"), contact_upsert("c1", 2, name="Anne", addresses=["a@x.no"])
    nothing_new = [contact_upsert("c1", 0, name="Old"), first, contact_upsert("c1", 3, name="Anne")]
    changes = await apply(pool, first, second, *nothing_new)
    assert all(isinstance(one.data, ContactChanged) for one in changes)
    assert [(one.data.contact, one.data.by, one.data.time) for one in changes] == [
        ("c1", "/test", moment(1)),
        ("c1", "/test", moment(2)),
    ]
    assert len({one.id for one in changes}) == 2
    assert await apply(pool, *nothing_new) == []


async def test_two_who_tell_of_a_contact_at_once_do_not_undo_each_other(pool: Pool) -> None:
    await apply(pool, contact_upsert("c1", 1, addresses=["a@x.no"]))
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM contacts FOR UPDATE")
        telling = apply_in_background(pool, contact_upsert("c1", 3, addresses=["a@x.no"]))
        await wait_for_lock(pool)
        await connection.execute("UPDATE contacts SET addresses_at = $1", moment(2))
        await connection.execute("UPDATE contact_addresses SET address = 'b@x.no', written = 'b@x.no'")
    await telling
    assert [row["address"] for row in await pool.fetch("SELECT address FROM contact_addresses")] == ["a@x.no"]


async def test_an_address_may_have_several_owners(pool: Pool) -> None:
    await apply(
        pool, contact_upsert("c1", 1, addresses=["a@x.no", "b@x.no"]), contact_upsert("c2", 1, addresses=["A@x.no"])
    )
    await apply(pool, contact_upsert("c1", 2, addresses=["b@x.no"]))
    rows = await pool.fetch("SELECT contact, rank, written FROM contact_addresses ORDER BY contact, rank")
    assert [tuple(row) for row in rows] == [("c1", 0, "b@x.no"), ("c2", 0, "A@x.no")]
