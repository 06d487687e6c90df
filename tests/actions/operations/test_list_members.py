"""Copy and add to selections and projects: who comes in, who is left out and why; cancelled and undone."""

from typing import Any

import pytest

from services.actions.operations.domain import PART_ROWS
from shared.database.pool import Pool
from tests.actions.builders import address, receive_events, spy_queue
from tests.actions.operations.operations_api import (
    confirm,
    post_action,
    request_preview,
    run_operation,
    selected,
    start_operation,
    wait_for_operation,
)
from tests.support.harness import TENANT, Harness, RunningService

pytestmark = [pytest.mark.anyio, pytest.mark.services]

EVERYTHING = (
    "SELECT kind, list, contact, member, told_at, operation FROM list_members ORDER BY kind, list, contact",
    "SELECT kind, list, name, deleted, size FROM lists ORDER BY kind, list",
)
PEOPLE = """
    INSERT INTO contacts (tenant, contact, name, former_employee)
    SELECT $1, 'c' || n, 'Name ' || n, n = 3 FROM generate_series(1, $2::integer) AS n
"""
ADDRESSES = """
    INSERT INTO contact_addresses (tenant, address, contact, rank, written)
    SELECT $1, 'u' || n || '@example.com', 'c' || n, 0, 'U' || n || '@example.com'
    FROM generate_series(1, $2::integer) AS n
"""


async def people(pool: Pool, number: int) -> None:
    """Write contacts with an address each; the third has left."""
    await pool.execute(PEOPLE, TENANT, number)
    await pool.execute(ADDRESSES, TENANT, number)


async def everything(pool: Pool) -> list[list[tuple[Any, ...]]]:
    return [[tuple(row) for row in await pool.fetch(statement)] for statement in EVERYTHING]


async def members(pool: Pool) -> list[str]:
    return [row["contact"] for row in await pool.fetch("SELECT contact FROM list_members WHERE member ORDER BY 1")]


@pytest.mark.parametrize("kind", ["selection", "project"])
async def test_copied_to_a_new_list_added_to_it_and_undone(
    harness: Harness, actions: RunningService, pool: Pool, kind: str
) -> None:
    await people(pool, 5)
    spy = await spy_queue(harness, f"{kind}.changed.*")
    target = selected(address(1), address(2), address(3), "nobody@example.com")
    preview = await request_preview(actions, f"copy_to_{kind}", target, name="Clean these")
    assert (preview["rows"], preview["to_do"], preview["can_be_undone"]) == (4, 2, True)
    skipped = {row["why"]: row["rows"] for row in preview["skipped"]}
    assert skipped == {"former_employee": 1, "no_contact": 1}
    shown = {row["address"]: (row["name"], row["skipped"]) for row in preview["sample"]}
    assert shown["U1@example.com"] == ("Name 1", None)
    assert shown["nobody@example.com"] == (None, "no_contact")
    empty = await everything(pool)

    first = await wait_for_operation(actions, await confirm(actions, preview), state="finished")
    assert (first["done"], first["settled"], first["rows"]) == (2, 4, 4)
    rows = (await actions.http.get(f"/v1/operations/{first['id']}/rows")).json()["items"]
    assert {(row["address"], row["outcome"], row["why"]) for row in rows} == {
        ("nobody@example.com", "skipped", "no_contact"),
        ("u3@example.com", "skipped", "former_employee"),
    }
    made = first["result"]["list"]
    assert await members(pool) == ["c1", "c2"]
    assert await pool.fetchval("SELECT size FROM lists WHERE list = $1", made) == 2

    before = await everything(pool)
    second = await run_operation(actions, f"add_to_{kind}", selected(address(2), address(4)), list=made)
    assert await members(pool) == ["c1", "c2", "c4"]
    await post_action(actions, second["id"], "undo")
    await wait_for_operation(actions, second["id"], state="undone")
    assert await everything(pool) == before
    await post_action(actions, first["id"], "undo")
    await wait_for_operation(actions, first["id"], state="undone")
    assert await everything(pool) == empty
    events = await receive_events(harness, spy, 6)
    assert [(e["data"]["added"], e["data"]["removed"], e["data"]["deleted"]) for e in events] == [
        ([], [], False),
        (["c1", "c2"], [], False),
        (["c4"], [], False),
        ([], ["c4"], False),
        ([], ["c1", "c2"], False),
        ([], [], True),
    ]
    assert {e["data"][kind] for e in events} == {made}


async def test_who_was_told_to_be_no_member_is_that_again_after_an_undo(actions: RunningService, pool: Pool) -> None:
    await people(pool, 2)
    await pool.execute("INSERT INTO lists (tenant, kind, list, name) VALUES ($1, 'selection', 's', 'S')", TENANT)
    await pool.execute(
        "INSERT INTO list_members (tenant, kind, list, contact, member, told_at)"
        " VALUES ($1, 'selection', 's', 'c1', false, now() - interval '1 day')",
        TENANT,
    )
    before = await everything(pool)
    operation = await run_operation(actions, "add_to_selection", selected(address(1), address(2)), list="s")
    assert await members(pool) == ["c1", "c2"]
    await post_action(actions, operation["id"], "undo")
    await wait_for_operation(actions, operation["id"], state="undone")
    assert await everything(pool) == before


async def test_cancelled_in_the_middle_it_leaves_nothing_or_keeps_what_it_did(
    actions: RunningService, pool: Pool
) -> None:
    await people(pool, 3 * PART_ROWS)
    target = selected(*(address(n) for n in range(1, 3 * PART_ROWS + 1)))
    before = await everything(pool)
    for keep in (False, True):
        async with pool.acquire() as connection, connection.transaction():
            identity = await start_operation(actions, "copy_to_selection", target, name="Many")
            await wait_for_operation(actions, identity, state="running")
            # The last part is in another's hand: it cannot be over before it is cancelled.
            await connection.fetch(
                "SELECT FROM operation_parts JOIN operations AS o ON o.no = operation_parts.operation"
                " WHERE part = 2 AND o.operation_id = $1 FOR UPDATE OF operation_parts",
                identity,
            )
            await wait_for_operation(actions, identity, settled=2 * PART_ROWS)
            assert (await post_action(actions, identity, "cancel", keep=keep)).json()["state"] == "cancelling"
            cancelled = await wait_for_operation(actions, identity, state="cancelled")
        if not keep:
            assert await everything(pool) == before
    assert (cancelled["done"], cancelled["rows"]) == (2 * PART_ROWS - 1, 3 * PART_ROWS)
    assert len(await members(pool)) == 2 * PART_ROWS - 1
    await post_action(actions, identity, "undo")
    await wait_for_operation(actions, identity, state="undone")
    assert await everything(pool) == before


async def test_a_list_that_is_not_there_is_refused_and_one_that_goes_fails(actions: RunningService, pool: Pool) -> None:
    await people(pool, 1)
    body = {"operation": "add_to_project", "target": selected(address(1)), "parameters": {"list": "no-such"}}
    answer = await actions.http.post("/v1/operations", json=body)
    assert (answer.status_code, answer.json()["title"]) == (422, "parameters.list: there is no such project")
    await pool.execute("INSERT INTO lists (tenant, kind, list, name) VALUES ($1, 'project', 'p', 'P')", TENANT)
    preview = await request_preview(actions, "add_to_project", selected(address(1)), list="p")
    await pool.execute("UPDATE lists SET deleted = true")
    failed = await wait_for_operation(actions, await confirm(actions, preview), state="failed")
    assert failed["outcomes"] == [{"outcome": "failed", "why": "the project is no longer there", "rows": 1}]


async def test_two_operations_over_the_same_rows_both_come_to_their_end(actions: RunningService, pool: Pool) -> None:
    await people(pool, PART_ROWS + 10)
    target = selected(*(address(n) for n in range(1, PART_ROWS + 11)))
    await pool.execute("INSERT INTO lists (tenant, kind, list, name) VALUES ($1, 'selection', 's', 'S')", TENANT)
    both = [await start_operation(actions, "add_to_selection", target, list="s") for _ in range(2)]
    for identity in both:
        await wait_for_operation(actions, identity, state="finished")
    assert await pool.fetchval("SELECT size FROM lists") == PART_ROWS + 9 == len(await members(pool))
    for identity in reversed(both):
        await post_action(actions, identity, "undo")
        await wait_for_operation(actions, identity, state="undone")
    assert await members(pool) == []
    assert await pool.fetchval("SELECT size FROM lists") == 0


async def test_progress_is_told_as_server_sent_events(actions: RunningService, pool: Pool) -> None:
    await people(pool, 3)
    identity = await start_operation(actions, "copy_to_selection", selected(address(1), address(2)), name="Watched")
    async with actions.http.stream("GET", f"/v1/operations/{identity}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = [line async for line in stream.aiter_lines()]
    names = [line for line in lines if line.startswith("event: ")]
    assert names[-1] == "event: ended"
    assert '"state": "finished"' in lines[-2]
