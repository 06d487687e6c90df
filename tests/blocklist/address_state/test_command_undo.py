"""What operations commanded is undone: the standing is what it was, unless somebody has said something since."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from returpost.contracts import BlockApplied, BlockClear, BlockSet, BlockUndo, Contract, ids
from returpost.contracts.cloudevents import Event, event
from services.blocklist.address_state.handlers.command_undo import handle_undo
from services.blocklist.address_state.handlers.commands import handle_block_clear, handle_block_set
from shared.database.pool import Pool, connect
from shared.messaging.unit_of_work import UnitOfWork
from tests.support.harness import TENANT

pytestmark = [pytest.mark.anyio, pytest.mark.services]

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ADDRESS = "Ann@example.com"
STATE = "SELECT cause, since, last_clear, manual_at FROM addresses ORDER BY address"


def clock() -> datetime:
    return START + timedelta(days=1)


HANDLERS: dict[type[Contract], Any] = {
    BlockSet: partial(handle_block_set, clock=clock, tolerance=timedelta(minutes=5)),
    BlockClear: partial(handle_block_clear, clock=clock, tolerance=timedelta(minutes=5)),
    BlockUndo: partial(handle_undo, clock=clock),
}


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    opened = await connect(database, "blocklist", size=2)
    yield opened
    await opened.close()


def command(kind: type[Contract], minute: int, **values: Any) -> Event[Any]:
    told = {"addresses": [ADDRESS], "by": "ann", "time": START + timedelta(minutes=minute)} | values
    data = kind.model_validate(told)
    return event(data, id=ids.of_content(repr(data)), source="/test", tenant=TENANT)


def undo(of: int, operation: str) -> Event[Any]:
    return command(BlockUndo, of + 500, of=START + timedelta(minutes=of), operation=operation)


async def apply(pool: Pool, *batch: Event[Any]) -> list[Event[Any]]:
    async with pool.acquire() as connection, connection.transaction():
        work = UnitOfWork(connection)
        await HANDLERS[type(batch[0].data)](batch, work)
        return [outgoing.event for outgoing in work.outgoing]


async def state(pool: Pool) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await pool.fetch(STATE)]


async def test_a_block_by_hand_and_a_clear_are_undone_to_what_was_before(pool: Pool) -> None:
    await apply(pool, command(BlockSet, 1))
    before = await state(pool)
    await apply(pool, command(BlockClear, 2, operation="op-1"))
    assert (await state(pool))[0][0] is None
    again, applied = await apply(pool, undo(2, "op-1"))
    assert again.type == "returpost.address.blocked.v1"
    assert (again.data.cause, again.data.time) == ("manual", START + timedelta(minutes=1))
    assert (applied.type, applied.data.operation) == (BlockApplied.TYPE, "op-1")
    assert await state(pool) == before


async def test_two_operations_over_one_address_are_undone_in_one_batch(pool: Pool) -> None:
    """Whichever comes first in it, and whatever was last."""
    await apply(pool, command(BlockSet, 1))
    before = await state(pool)
    for undos in ((2, 3), (5, 4)):
        await apply(pool, command(BlockClear, min(undos), operation=f"op-{min(undos)}"))
        await apply(pool, command(BlockSet, max(undos), operation=f"op-{max(undos)}"))
        assert await state(pool) != before
        *_, first, second = await apply(pool, *(undo(n, f"op-{n}") for n in undos))
        assert [one.data.operation for one in (first, second)] == [f"op-{n}" for n in undos]
        assert await state(pool) == before


async def test_a_command_that_comes_again_after_its_undo_changes_nothing(pool: Pool) -> None:
    """As when the process that sent it died before it had crossed it off."""
    await apply(pool, command(BlockSet, 1))
    before = await state(pool)
    for kind in (BlockClear, BlockSet):
        sent = command(kind, 2, operation="op-2")
        await apply(pool, sent)
        await apply(pool, undo(2, "op-2"))
        (answer,) = await apply(pool, sent)
        assert not answer.type.startswith("returpost.address."), "it is answered, and blocks and lifts nothing"
        assert await state(pool) == before


async def test_what_was_said_since_stays(pool: Pool) -> None:
    await apply(pool, command(BlockSet, 1, operation="op-1"))
    await apply(pool, command(BlockSet, 2))
    events = await apply(pool, undo(1, "op-1"))
    assert [one.type for one in events] == [BlockApplied.TYPE]
    assert (await state(pool))[0][:2] == ("manual", START + timedelta(minutes=2))


async def test_undone_twice_is_undone_once_and_the_last_first(pool: Pool) -> None:
    await apply(pool, command(BlockSet, 1, operation="op-1"))
    await apply(pool, command(BlockClear, 2, operation="op-2"))
    await apply(pool, undo(2, "op-2"))
    await apply(pool, undo(2, "op-2"))
    assert (await state(pool))[0][0] == "manual"
    (lifted, _) = await apply(pool, undo(1, "op-1"))
    assert lifted.type == "returpost.address.unblocked.v1"
    assert await state(pool) == [(None, None, None, None)]


async def test_an_operation_is_answered_and_nobody_else(pool: Pool) -> None:
    asked = command(BlockSet, 1, operation="op-1")
    answers = [one for one in await apply(pool, asked, command(BlockSet, 2)) if isinstance(one.data, BlockApplied)]
    assert [one.id for one in answers] == [ids.derived(asked.id, BlockApplied.TYPE)]
