"""Every operation is killed in the middle, goes on, and is undone, killed again: what is left is as if nothing was."""

import asyncio
import operator
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
import pytest

from returpost.contracts import Operation
from returpost.contracts.routing import sender_queue
from services.actions.app import create
from services.actions.operations.domain import COMMAND_ROWS, PART_ROWS
from services.actions.operations.registry import REGISTRY
from services.actions.settings import Settings
from services.blocklist.app import create as create_blocklist
from services.blocklist.settings import Settings as BlocklistSettings
from shared.database.pool import Pool
from tests.actions.operations.operations_api import post_action, request_preview, run_operation, wait_for_operation
from tests.support.harness import TENANT, TOKEN_KEY, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

ROWS = COMMAND_ROWS + 200
MANY = PART_ROWS + 200
"""Of operations whose parts are larger: more than one part of each."""
SIZES = {
    Operation.COPY_TO_SELECTION: MANY, Operation.ADD_TO_SELECTION: MANY, Operation.COPY_TO_PROJECT: MANY,
    Operation.ADD_TO_PROJECT: MANY, Operation.CORRECT_ADDRESS: 1,
}  # fmt: skip
PARAMETERS: dict[Operation, dict[str, Any]] = {
    Operation.EXPORT: {"format": "csv"},
    Operation.COPY_TO_SELECTION: {"name": "New"},
    Operation.ADD_TO_SELECTION: {"list": "s1"},
    Operation.COPY_TO_PROJECT: {"name": "New"},
    Operation.ADD_TO_PROJECT: {"list": "p1"},
    Operation.CORRECT_ADDRESS: {"new": "right@example.com", "anyway": True},
}
SEED = (
    """INSERT INTO actions.contacts (tenant, contact, name, former_employee)
       SELECT $1, $2 || n, 'N', $2 = 'set_back_former_employee' FROM generate_series(1, $3::int) AS n""",
    """INSERT INTO actions.contact_addresses (tenant, address, contact, rank, written)
       SELECT $1, $2 || n || '@example.com', $2 || n, 0, $2 || n || '@example.com'
       FROM generate_series(1, $3::int) AS n""",
    """INSERT INTO actions.recipients (tenant, mailing, address, sent_at, returned_at, hard, reason, exhausted)
       SELECT $1, $2, $2 || n || '@example.com', '2026-01-01', '2026-01-02', false, 'mailbox_full', false
       FROM generate_series(1, $3::int) AS n""",
    """INSERT INTO actions.recipients (tenant, mailing, address)
       SELECT $1, 'planned', $2 || n || '@example.com' FROM generate_series(1, $3::int) AS n""",
)
BLOCKED = (
    """INSERT INTO blocklist.addresses (tenant, address, version, return_count, cause, reason, since, mailing)
       SELECT $1, $2 || n || '@example.com', n, 1, 'dead_address', 'user_unknown', '2026-01-02', $2
       FROM generate_series(1, $3::int) AS n""",
    """INSERT INTO blocklist.history (tenant, address, id, time, may_block, mailing, reason, fault, rule, text)
       SELECT $1, $2 || n || '@example.com', gen_random_uuid(), '2026-01-02', true, $2, 'user_unknown', 'recipient',
              'r', ''
       FROM generate_series(1, $3::int) AS n""",
    """INSERT INTO actions.address_states (tenant, address, version, blocked, cause, reason, return_count, since)
       SELECT $1, $2 || n || '@example.com', n, true, 'dead_address', 'user_unknown', 1, '2026-01-02'
       FROM generate_series(1, $3::int) AS n""",
)
LEFT = (
    """INSERT INTO actions.former_addresses (tenant, address)
       SELECT $1, $2 || n || '@example.com' FROM generate_series(1, $3::int) AS n""",
    """INSERT INTO blocklist.addresses (tenant, address, version, cause, since, former_at, former_by)
       SELECT $1, $2 || n || '@example.com', n, 'former_employee', '2026-01-02', '2026-01-02', 'test'
       FROM generate_series(1, $3::int) AS n""",
    """INSERT INTO blocklist.last_versions (tenant, version) SELECT $1, $3::int WHERE $2 <> ''
       ON CONFLICT DO NOTHING""",
    """INSERT INTO actions.address_states (tenant, address, version, blocked, cause, return_count, since)
       SELECT $1, $2 || n || '@example.com', n, true, 'former_employee', 0, '2026-01-02'
       FROM generate_series(1, $3::int) AS n""",
)
KNOWN = {Operation.CLEAR_BOUNCE_FLAG: BLOCKED, Operation.SET_BACK_FORMER_EMPLOYEE: LEFT}
"""What is known of the addresses of an operation before it begins."""
LISTS = """INSERT INTO actions.lists (tenant, kind, list, name)
    VALUES ($1, 'selection', 's1', 'S'), ($1, 'project', 'p1', 'P')"""
STATE = {
    "contacts": "SELECT contact, former_employee, former_employee_at, left_by FROM actions.contacts",
    "addresses": "SELECT contact, address, written, rank FROM actions.contact_addresses",
    "lists": "SELECT kind, list, size FROM actions.lists",
    "members": "SELECT kind, list, contact, member FROM actions.list_members",
    "recipients": "SELECT mailing, address, status FROM actions.recipients",
    "blocks": "SELECT address FROM actions.address_states WHERE blocked",
    "standings": "SELECT address, last_clear, manual_at FROM blocklist.addresses "
    "WHERE last_clear IS NOT NULL OR manual_at IS NOT NULL OR cause IS NOT NULL",
}
"""What operations change; of addresses that nothing is said of any more, the blocklist may keep empty rows."""


async def seeded(pool: Pool, name: str, number: int, *more: str) -> None:
    for statement in (*SEED, *more):
        await pool.execute(statement, TENANT, name, number)


async def state(pool: Pool) -> dict[str, set[tuple[Any, ...]]]:
    """Return everything that operations change, but for what is deleted for ever and what is empty."""
    found = {name: {tuple(row) for row in await pool.fetch(statement)} for name, statement in STATE.items()}
    gone = Operation.DELETE_ADDRESSES.value
    return {name: {row for row in rows if not any(gone in str(one) for one in row)} for name, rows in found.items()}


class Mortal:
    """The service in a process of its own, which is killed and started again; its socket outlives it."""

    def __init__(self, harness: Harness) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._environment = os.environ | {
            "RETURPOST_AMQP_URL": harness.amqp_url,
            "RETURPOST_DATABASE_URL": harness.database_urls["actions"],
            "RETURPOST_TOKEN_KEYS": TOKEN_KEY,
            "RETURPOST_HTTP_FD": str(self._socket.fileno()),
            "RETURPOST_EXPORT_SILENCE": "PT3S",
        }
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.actions.app", env=self._environment, pass_fds=[self._socket.fileno()],
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    async def kill(self) -> None:
        """`kill -9`."""
        assert self._process is not None
        assert self._process.returncode is None, "it has ended by itself"
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def end(self) -> None:
        await self.kill()
        self._socket.close()


@asynccontextmanager
async def mortal(harness: Harness) -> AsyncIterator[tuple[Mortal, RunningService]]:
    async with harness.running(create_blocklist, BlocklistSettings, "blocklist") as blocklist:
        service = Mortal(harness)
        await service.start()
        headers = {"Authorization": f"Bearer {harness.token()}"}
        async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=60) as http:
            try:
                yield service, RunningService(blocklist.service, http)
            finally:
                await service.end()


async def killed_in_the_middle(pool: Pool, service: Mortal, wanted: str) -> int:
    """Kill the service when a part of an operation is done, and again when about half of all are; start it each time.

    Returns how many operations were in the middle at one of these moments.
    """
    middle: set[int] = set()
    for share in (0.1, 0.5):

        async def so_far() -> float:
            return float(await pool.fetchval("SELECT avg((state = $1)::int) FROM operation_parts", wanted))

        await eventually(so_far, partial(operator.le, share))
        await service.kill()
        rows = await pool.fetch("SELECT no FROM operations WHERE state IN ('running', 'undoing')")
        middle |= {row["no"] for row in rows}
        await service.start()
    return len(middle)


async def test_each_is_killed_in_the_middle_ends_and_is_undone(harness: Harness, pool: Pool) -> None:
    async with mortal(harness) as (service, actions):
        for operation in Operation:
            await seeded(pool, operation.value, SIZES.get(operation, ROWS), *KNOWN.get(operation, ()))
        await pool.execute(LISTS, TENANT)
        before = await state(pool)
        previews = {
            operation: await request_preview(
                actions, operation, {"returned_in": operation.value}, **PARAMETERS.get(operation, {})
            )
            for operation in Operation
        }
        for preview in previews.values():
            await post_action(actions, preview["id"], "confirm", token=preview["token"])
        assert await killed_in_the_middle(pool, service, "done") >= len(Operation) // 2
        for operation, preview in previews.items():
            number = SIZES.get(operation, ROWS)
            ended = await wait_for_operation(actions, preview["id"], state="finished")
            assert (ended["rows"], ended["done"], ended["outcomes"]) == (number, number, []), operation
        await as_wanted(harness, pool, actions, previews)

        backwards = [operation for operation in Operation if REGISTRY[operation].undo is not None]
        for operation in backwards:
            assert (await post_action(actions, previews[operation]["id"], "undo")).status_code == 202
        assert await killed_in_the_middle(pool, service, "undone") > 0
        for operation in backwards:
            await wait_for_operation(actions, previews[operation]["id"], state="undone")
        await eventually(lambda: difference(pool, before), lambda found: not found)


async def as_wanted(
    harness: Harness, pool: Pool, actions: RunningService, previews: dict[Operation, dict[str, Any]]
) -> None:
    """Tell that each has done all of what it is to do, once."""
    file = await actions.http.get(f"/v1/operations/{previews[Operation.EXPORT]['id']}/file")
    assert len(file.text.splitlines()) == ROWS + 1
    sizes = sorted((row["kind"], row["size"]) for row in await pool.fetch("SELECT kind, size FROM lists"))
    assert sizes == [("project", MANY)] * 2 + [("selection", MANY)] * 2
    counted = {
        Operation.SET_FORMER_EMPLOYEE: "contacts WHERE former_employee AND contact ^@ $1",
        Operation.SET_BACK_FORMER_EMPLOYEE: "contacts WHERE NOT former_employee AND contact ^@ $1",
        Operation.BLOCK: "address_states WHERE blocked AND address ^@ $1",
        Operation.CLEAR_BOUNCE_FLAG: "address_states WHERE NOT blocked AND address ^@ $1",
    }
    for operation, where in counted.items():
        statement = f"SELECT count(*) FROM {where}"  # noqa: S608 - the parts are above
        await eventually(partial(pool.fetchval, statement, operation.value), partial(operator.eq, ROWS))
    gone = Operation.DELETE_ADDRESSES.value
    for table in ("recipients", "contact_addresses", "operation_rows"):
        statement = f"SELECT count(*) FROM {table} WHERE address ^@ $1"  # noqa: S608
        assert await pool.fetchval(statement, gone) == 0, table
    assert await pool.fetchval("SELECT contact FROM contact_addresses WHERE address = 'right@example.com'")
    commands: list[dict[str, Any]] = []

    async def sent() -> tuple[int, int]:
        commands.extend(await harness.take_events(sender_queue("default")))  # published after what says that it is done
        return len({one["id"] for one in commands}), len({one["data"]["address"] for one in commands})

    await eventually(sent, partial(operator.eq, (ROWS, ROWS)))


@pytest.fixture
async def actions(harness: Harness) -> AsyncIterator[RunningService]:
    async with (
        harness.running(create_blocklist, BlocklistSettings, "blocklist"),
        harness.running(create, Settings, "actions") as running,
    ):
        yield running


SIDE_BY_SIDE = (
    Operation.CLEAR_BOUNCE_FLAG, Operation.BLOCK, Operation.ADD_TO_SELECTION, Operation.ADD_TO_SELECTION,
    Operation.ADD_TO_PROJECT, Operation.COPY_TO_SELECTION,
)  # fmt: skip


async def test_over_the_same_rows_side_by_side(actions: RunningService, pool: Pool) -> None:
    await seeded(pool, "x", ROWS, *BLOCKED)
    await pool.execute(LISTS, TENANT)
    before = await state(pool)
    previews = [
        await request_preview(actions, operation, {"returned_in": "x"}, **PARAMETERS.get(operation, {}))
        for operation in SIDE_BY_SIDE
    ]
    await asyncio.gather(*(post_action(actions, one["id"], "confirm", token=one["token"]) for one in previews))
    for one in previews:
        assert (await wait_for_operation(actions, one["id"], state="finished"))["done"] == ROWS
    rows = await pool.fetch("SELECT kind, list, size FROM lists")
    assert {row["size"] for row in rows} == {ROWS}
    assert len(rows) == 3
    assert await pool.fetchval("SELECT count(*) FROM list_members WHERE member") == 3 * ROWS
    await asyncio.gather(*(post_action(actions, one["id"], "undo") for one in previews))
    for one in previews:
        await wait_for_operation(actions, one["id"], state="undone")
    await eventually(lambda: difference(pool, before), lambda found: not found)


@pytest.mark.parametrize("operation", [one for one in Operation if REGISTRY[one].undo])
async def test_cancelled_in_the_middle_it_is_as_before(
    actions: RunningService, pool: Pool, operation: Operation
) -> None:
    await seeded(pool, operation.value, SIZES.get(operation, ROWS), *KNOWN.get(operation, ()))
    await pool.execute(LISTS, TENANT)
    before = await state(pool)
    preview = await request_preview(
        actions, operation, {"returned_in": operation.value}, **PARAMETERS.get(operation, {})
    )
    await post_action(actions, preview["id"], "confirm", token=preview["token"])
    await wait_for_operation(actions, preview["id"], state="running")
    assert (await post_action(actions, preview["id"], "cancel")).status_code in (202, 409)
    ended = await wait_for_operation(actions, preview["id"], finished_at=await ended_at(actions, preview["id"]))
    if ended["state"] == "finished":  # it was quicker
        await post_action(actions, preview["id"], "undo")
    await eventually(lambda: difference(pool, before), lambda found: not found)


@pytest.mark.parametrize("operation", [Operation.DELETE_ADDRESSES, Operation.SEND_AGAIN])
async def test_what_cannot_be_undone_stops_where_it_is(
    harness: Harness, actions: RunningService, pool: Pool, operation: Operation
) -> None:
    await seeded(pool, operation.value, ROWS)
    preview = await request_preview(actions, operation, {"returned_in": operation.value})
    async with pool.acquire() as connection, connection.transaction():
        # The last part is in another's hand: it cannot be over before it is cancelled.
        await connection.execute("SELECT FROM operation_parts WHERE part = 1 FOR UPDATE")
        await post_action(actions, preview["id"], "confirm", token=preview["token"])
        await wait_for_operation(actions, preview["id"], settled=COMMAND_ROWS)
        assert (await post_action(actions, preview["id"], "cancel")).status_code == 202
        ended = await wait_for_operation(actions, preview["id"], state="cancelled")
    assert (ended["done"], ended["rows"], ended["can_be_undone"]) == (COMMAND_ROWS, ROWS, False)
    deleted = COMMAND_ROWS if operation is Operation.DELETE_ADDRESSES else 0
    for table in ("recipients WHERE mailing = $1", "contact_addresses WHERE address ^@ $1"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}", operation.value) == ROWS - deleted  # noqa: S608
    sent: list[dict[str, Any]] = []

    async def commands() -> int:
        sent.extend(await harness.take_events(sender_queue("default")))
        return len({one["id"] for one in sent})

    await eventually(commands, partial(operator.eq, COMMAND_ROWS - deleted))


async def ended_at(actions: RunningService, identity: str) -> Any:
    async def look() -> Any:
        return (await actions.http.get(f"/v1/operations/{identity}")).json()["finished_at"]

    return await eventually(look, lambda at: at is not None)


async def difference(pool: Pool, before: dict[str, set[tuple[Any, ...]]]) -> dict[str, int]:
    """Return in how many rows each table differs from before."""
    after = await state(pool)
    return {name: len(after[name] ^ rows) for name, rows in before.items() if after[name] != rows}


async def test_done_again_after_an_undo(actions: RunningService, pool: Pool) -> None:
    await seeded(pool, "x", COMMAND_ROWS, *BLOCKED)
    before = await state(pool)
    for _ in range(2):
        ended = await run_operation(actions, Operation.CLEAR_BOUNCE_FLAG, {"returned_in": "x"})
        blocked = partial(pool.fetchval, "SELECT count(*) FROM address_states WHERE blocked")
        await eventually(blocked, partial(operator.eq, 0))
        await post_action(actions, ended["id"], "undo")
        await wait_for_operation(actions, ended["id"], state="undone")
        await eventually(lambda: difference(pool, before), lambda found: not found)
