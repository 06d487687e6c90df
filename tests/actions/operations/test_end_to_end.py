"""Operations with the real blocklist, over the real broker: what they do, and that an undo leaves no difference."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from returpost.contracts import BlockClear
from returpost.contracts.cloudevents import event
from returpost.contracts.routing import sender_queue
from services.actions.app import create
from services.actions.settings import Settings
from services.blocklist.app import create as create_blocklist
from services.blocklist.settings import Settings as BlocklistSettings
from shared.database.pool import Pool
from tests.actions.builders import (
    address,
    apply,
    contact_upsert,
    moment,
    publish_events,
    receive_events,
    result,
    spy_queue,
    verdict,
)
from tests.actions.operations.operations_api import (
    post_action,
    request_preview,
    run_operation,
    selected,
    wait_for_operation,
)
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

STANDINGS = """
    SELECT address, cause, reason, since, return_count, last_clear, manual_at FROM addresses
    WHERE address LIKE $1 ORDER BY address
"""
TRACES = "SELECT count(*) FROM {table} AS t WHERE t::text ILIKE '%' || $1 || '%'"
TABLES = "SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.relkind = 'r' AND c.relnamespace = $1::regnamespace"


@pytest.fixture
async def actions(harness: Harness) -> AsyncIterator[RunningService]:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(harness.running(create_blocklist, BlocklistSettings, "blocklist"))
        yield await stack.enter_async_context(harness.running(create, Settings, "actions"))


async def dead(harness: Harness, pool: Pool, *numbers: int) -> None:
    """Have addresses returned for ever, and blocked for it."""
    await publish_events(harness, *[verdict("hard", n, 1) for n in numbers])
    await blocked(pool, {f"u{n}@example.com" for n in numbers})


async def blocked(pool: Pool, wanted: set[str]) -> None:
    """Wait until exactly these addresses are blocked, as far as actions knows."""

    async def look() -> set[str]:
        return {row["address"] for row in await pool.fetch("SELECT address FROM address_states WHERE blocked")}

    await eventually(look, lambda seen: seen == wanted)


async def standings(harness: Harness, like: str = "%") -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await harness.fetch("blocklist", STANDINGS, like)]


async def causes(harness: Harness) -> list[tuple[Any, ...]]:
    rows = await harness.fetch("blocklist", "SELECT address, cause, also FROM addresses ORDER BY address")
    return [tuple(row) for row in rows]


async def undone(actions: RunningService, operation: dict[str, Any]) -> None:
    assert (await post_action(actions, operation["id"], "undo")).status_code == 202
    await wait_for_operation(actions, operation["id"], state="undone")


async def test_a_clear_lifts_blocks_and_its_undo_blocks_again_as_before(
    harness: Harness, actions: RunningService, pool: Pool
) -> None:
    await dead(harness, pool, 1, 2)
    before = await standings(harness)
    assert {row[1] for row in before} == {"dead_address"}
    operation = await run_operation(actions, "clear_bounce_flag", {"returned_in": "m1"})
    await blocked(pool, set())
    assert operation["done"] == 2
    await undone(actions, operation)
    await blocked(pool, {"u1@example.com", "u2@example.com"})
    assert await standings(harness) == before


async def test_a_block_by_hand_has_its_reason_and_is_undone(
    harness: Harness, actions: RunningService, pool: Pool
) -> None:
    await dead(harness, pool, 1)
    before = await standings(harness, "u1@%")
    body = {"operation": "block", "target": selected(address(1), address(7)), "note": "asked us on the phone"}
    preview = (await actions.http.post("/v1/operations", json=body)).json()
    await post_action(actions, preview["id"], "confirm", token=preview["token"])
    operation = await wait_for_operation(actions, preview["id"], state="finished")
    await blocked(pool, {"u1@example.com", "u7@example.com"})
    (row,) = await harness.fetch("blocklist", "SELECT cause, manual_note FROM addresses WHERE address LIKE 'u7@%'")
    assert tuple(row) == ("manual", "asked us on the phone")
    await undone(actions, operation)
    await blocked(pool, {"u1@example.com"})
    assert await standings(harness, "u1@%") == before


async def test_deleted_addresses_leave_no_trace_and_their_contact_stays(
    harness: Harness, actions: RunningService, pool: Pool
) -> None:
    numbers = range(1, 2_001)
    await apply(pool, contact_upsert("c1", 1, name="Ann", addresses=[address(1), "kept@example.com"]))
    await apply(pool, *[verdict("hard", n, 1) for n in numbers])
    everybody = [address(n) for n in numbers]
    await run_operation(actions, "export", selected(address(1)))
    await run_operation(actions, "correct_address", selected("kept@example.com"), new=address(1))
    await run_operation(actions, "clear_bounce_flag", selected(address(1), address(2)))
    operation = await run_operation(actions, "delete_addresses", {"addresses": everybody})
    assert (operation["done"], operation["can_be_undone"]) == (2_000, False)
    assert (await post_action(actions, operation["id"], "undo")).status_code == 409
    assert await pool.fetchval("SELECT name FROM contacts WHERE contact = 'c1'") == "Ann"
    await eventually(lambda: harness.unacknowledged("actions", "blocklist"), lambda left: left == 0)

    async def traces() -> list[tuple[str, str]]:
        return [
            (table, trace)
            for service in ("actions", "blocklist")
            for (table,) in await harness.fetch(service, TABLES, service)
            for trace in ("u1@example.com", "u1999@example.com")
            if (await harness.fetch(service, TRACES.format(table=table), trace))[0]["count"]
        ]

    await eventually(traces, lambda left: left == [])
    assert await pool.fetchval("SELECT count(*) FROM operation_files") == 0


async def test_a_deletion_in_its_grace_can_be_cancelled(harness: Harness, pool: Pool) -> None:
    async with harness.running(create, Settings, "actions", delete_grace="PT1H") as actions:
        await apply(pool, verdict("hard", 1, 1))
        preview = await request_preview(actions, "delete_addresses", selected(address(1)))
        answer = await post_action(actions, preview["id"], "confirm", token=preview["token"])
        assert answer.json()["state"] == "queued"
        assert (await post_action(actions, preview["id"], "cancel")).status_code == 202
        await wait_for_operation(actions, preview["id"], state="cancelled")
        assert await harness.depth("blocklist.address-erase") == 0
        assert await pool.fetchval("SELECT count(*) FROM recipients") == 1


async def test_who_has_left_is_kept_leaves_mailings_and_can_be_set_back(
    harness: Harness, actions: RunningService, pool: Pool
) -> None:
    await apply(pool, contact_upsert("c1", 1, name="Ann", addresses=[address(1), address(2)]))
    await apply(pool, contact_upsert("c2", 1, name="Bob", addresses=[address(2)]))
    planned = [address(1), address(2), address(3)]
    await actions.http.put("/v1/mailings/m9/recipients", json=planned)
    everything = (
        "SELECT contact, name, former_employee, former_employee_at FROM contacts ORDER BY 1",
        "SELECT contact, address, rank FROM contact_addresses ORDER BY 1, 2",
        "SELECT mailing, address, status FROM recipients ORDER BY 1, 2",
    )

    async def state() -> list[list[tuple[Any, ...]]]:
        return [[tuple(row) for row in await pool.fetch(statement)] for statement in everything]

    before = await state()
    spy = await spy_queue(harness, "contact.changed.*")
    operation = await run_operation(actions, "set_former_employee", selected(address(1), address(3)))
    assert operation["outcomes"] == [{"outcome": "skipped", "why": "no_contact", "rows": 1}]
    await blocked(pool, {"u1@example.com"})  # the other address is also Bob's, who is still there
    assert [row["address"] for row in await pool.fetch("SELECT address FROM recipients ORDER BY 1")] == [
        "u2@example.com", "u3@example.com",
    ]  # fmt: skip
    skipped = await request_preview(actions, "copy_to_selection", selected(address(1), address(2)), name="S")
    assert skipped["skipped"] == [{"why": "former_employee", "rows": 1}]
    await undone(actions, operation)
    await blocked(pool, set())
    assert await state() == before
    events = await receive_events(harness, spy, 2)
    assert [(e["data"]["contact"], e["data"]["former_employee"]) for e in events] == [("c1", True), ("c1", False)]
    assert events[0]["data"]["version"] < events[1]["data"]["version"]


async def test_who_had_left_is_set_back_and_only_what_blocked_them_is_lifted(
    harness: Harness, actions: RunningService, pool: Pool
) -> None:
    for n in (1, 2, 3, 4):
        await apply(pool, contact_upsert(f"c{n}", 1, name=f"N{n}", addresses=[address(n)]))
    await dead(harness, pool, 2)
    await actions.http.put("/v1/contacts/c4", json={"former_employee": True})  # the CRM said so
    monday = await run_operation(actions, "set_former_employee", selected(address(1), address(2)))
    tuesday = await run_operation(actions, "set_former_employee", selected(address(3)))
    assert (monday["done"], tuesday["done"]) == (2, 1)
    everybody = {f"u{n}@example.com" for n in (1, 2, 3, 4)}
    await blocked(pool, everybody)
    people = "SELECT contact, former_employee, former_employee_at, left_by FROM contacts ORDER BY 1"
    clear = BlockClear(addresses=[address(1)], time=datetime.now(UTC), by="crm")  # what no operation asks about
    await harness.command(event(clear, id="clear", source="/test", tenant=TENANT))
    statement = "SELECT cause FROM addresses WHERE last_clear IS NOT NULL AND address = $1"
    (row,) = await eventually(lambda: harness.fetch("blocklist", statement, "u1@example.com"))
    assert row["cause"] == "former_employee"
    before = ([tuple(row) for row in await pool.fetch(people)], await causes(harness))
    operation = await run_operation(actions, "set_back_former_employee", selected(*map(address, (1, 2, 3, 4, 5))))
    assert (operation["done"], operation["outcomes"]) == (
        4, [{"outcome": "skipped", "why": "no_contact", "rows": 1}],
    )  # fmt: skip
    await blocked(pool, {"u2@example.com"})
    again = await request_preview(actions, "set_back_former_employee", selected(address(1)))
    assert again["skipped"] == [{"why": "not_former_employee", "rows": 1}]
    assert await pool.fetchval("SELECT count(*) FROM contacts WHERE former_employee") == 0
    await undone(actions, operation)
    await blocked(pool, everybody)
    assert ([tuple(row) for row in await pool.fetch(people)], await causes(harness)) == before
    await undone(actions, monday)
    await blocked(pool, {"u2@example.com", "u3@example.com", "u4@example.com"})


async def test_one_address_is_corrected_starts_clean_and_is_put_back(
    harness: Harness, actions: RunningService, pool: Pool
) -> None:
    await dead(harness, pool, 1)
    await apply(pool, contact_upsert("c1", 1, name="Ann", addresses=[address(1), "kept@example.com"]))
    spy = await spy_queue(harness, "contact.changed.*")
    addresses = "SELECT contact, address, written, rank FROM contact_addresses ORDER BY rank"
    before = [tuple(row) for row in await pool.fetch(addresses)]
    operation = await run_operation(actions, "correct_address", selected(address(1)), new="Ann.New@example.com")
    after = [tuple(row) for row in await pool.fetch(addresses)]
    assert after == [("c1", "ann.new@example.com", "Ann.New@example.com", 0), before[1]]
    assert await standings(harness, "ann.new@%") == []
    (changed,) = await receive_events(harness, spy, 1)
    assert changed["data"]["addresses"] == ["Ann.New@example.com", "kept@example.com"]
    await blocked(pool, {"u1@example.com"})
    await undone(actions, operation)
    assert [tuple(row) for row in await pool.fetch(addresses)] == before
    body = {"operation": "correct_address", "target": selected(address(1), address(2)), "parameters": {"new": "a@x.no"}}
    refused = await actions.http.post("/v1/operations", json=body)
    assert (refused.status_code, refused.json()["title"].split(":")[0]) == (422, "target")
    assert await pool.fetchval("SELECT count(*) FROM operations WHERE operation = 'correct_address'") == 1


async def test_an_old_address_that_was_corrected_may_be_erased(
    harness: Harness, actions: RunningService, pool: Pool
) -> None:
    await dead(harness, pool, 1)
    await apply(pool, contact_upsert("c1", 1, addresses=[address(1)]))
    await run_operation(actions, "correct_address", selected(address(1)), new="right@example.com", erase_old=True)
    await blocked(pool, set())
    assert await standings(harness) == []
    assert [row["address"] for row in await pool.fetch("SELECT address FROM contact_addresses")] == [
        "right@example.com"
    ]


async def test_sent_again_to_who_did_not_get_it_and_may_get_it(
    harness: Harness, actions: RunningService, pool: Pool
) -> None:
    await dead(harness, pool, 1)
    await apply(pool, *[result("sent", n, 0) for n in (2, 3, 4, 5)])
    await apply(pool, verdict("soft", 2, 1), verdict("exhausted", 3, 1), verdict("soft", 4, 1))
    await apply(pool, result("delivered", 4, 2), result("complained", 5, 2))
    rows = [{"mailing": "m1", "address": address(n)} for n in (1, 2, 3, 4, 5, 6)]
    operation = await run_operation(actions, "send_again", {"rows": rows})
    assert {(one["why"], one["rows"]) for one in operation["outcomes"]} == {
        ("blocked", 1), ("delivered", 1), ("unwanted", 1), ("no_recipient", 1),
    }  # fmt: skip
    commands = await receive_events(harness, sender_queue("default"), 2)
    assert {(c["data"]["address"], c["data"]["mailing"], c["data"]["reason"]) for c in commands} == {
        ("U2@example.com", "m1", "mailbox_full"), ("U3@example.com", "m1", "greylisted"),
    }  # fmt: skip
    assert {c["tenant"] for c in commands} == {TENANT}
    assert moment(0).isoformat() < commands[0]["data"]["due"]
