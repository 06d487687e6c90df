"""What the blocklist does for operations: clear bounce-flag, block by hand, delete for ever; one command a part."""

from collections.abc import Sequence
from typing import Any

from returpost.contracts import AddressErase, BlockApplied, BlockClear, BlockCleared, BlockSet, BlockUndo, Contract, ids
from returpost.contracts.cloudevents import event
from returpost.contracts.trace_context import traceparent
from services.actions.contacts import SOURCE
from services.actions.operations import store
from services.actions.operations.model import COMMAND_PART, Answer, Kind, Part, Running
from shared.messaging.unit_of_work import UnitOfWork


async def _clear(work: UnitOfWork, operation: Running, part: Part) -> Answer | None:
    """At the time of the request: what bounces later counts again."""
    return await command(work, operation, part, BlockClear, BlockCleared, note=operation.note, operation=operation.id)


async def _block(work: UnitOfWork, operation: Running, part: Part) -> Answer | None:
    return await command(work, operation, part, BlockSet, BlockApplied, note=operation.note, operation=operation.id)


async def take_back(work: UnitOfWork, operation: Running, part: Part) -> Answer | None:
    """Have the blocklist undo what it did for this part."""
    return await command(work, operation, part, BlockUndo, BlockApplied, operation=operation.id, of=operation.time)


async def _erase(work: UnitOfWork, operation: Running, part: Part) -> Answer | None:
    """The rows go with the addresses: when none is left, the part is done."""
    answer = await command(work, operation, part, AddressErase, None)
    return answer and Answer()


async def command(
    work: UnitOfWork, asked: Running, part: Part, command: type[Contract], answer: type[Contract] | None, **values: Any
) -> Answer | None:
    """Give one command over the addresses of a part; returns what answers it, or nothing when the part has none."""
    addresses = await store.addresses(work.connection, part)
    return command_over(work, asked, part, addresses, command, answer, **values)


def command_over(
    work: UnitOfWork,
    asked: Running,
    part: Part,
    addresses: Sequence[str],
    command: type[Contract],
    answer: type[Contract] | None,
    **values: Any,
) -> Answer | None:
    """Give commands over these addresses; the last one's answer is what the part waits for."""
    last: str | None = None
    for start in range(0, len(addresses), COMMAND_PART):
        some = list(addresses[start : start + COMMAND_PART])
        last = give(work, asked, part, command, some, start // COMMAND_PART, **values)
    return None if last is None else Answer(ids.derived(last, answer.TYPE) if answer else None)


def give(
    work: UnitOfWork,
    asked: Running,
    part: Part,
    command: type[Contract],
    addresses: list[str],
    n: int = 0,
    **values: Any,
) -> str:
    """Give one command; returns its id, which is the same when it is given again."""
    data = command.model_construct(addresses=addresses, time=asked.time, by=asked.by, **values)
    identity = ids.derived(f"{asked.tenant} {asked.id} {part.part}", command.TYPE, n)
    work.command(
        event(data, id=identity, source=SOURCE, tenant=asked.tenant, subject=asked.id, traceparent=traceparent())
    )
    return identity


CLEAR = Kind(apply=_clear, undo=take_back, size=COMMAND_PART)
BLOCK = Kind(apply=_block, undo=take_back, size=COMMAND_PART)
DELETE = Kind(apply=_erase, size=COMMAND_PART)
