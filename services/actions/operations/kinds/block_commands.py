"""Operations that the blocklist does: clear bounce-flag, block, delete; one command a part."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from returpost.contracts import (
    AddressErase,
    BlockApplied,
    BlockClear,
    BlockCleared,
    BlockSet,
    BlockUndo,
    Contract,
    Time,
)
from services.actions.operations.domain import COMMAND_ROWS, Part, Refused, StoredOperation
from services.actions.operations.events import awaited_id, part_command
from services.actions.operations.kinds.operation_kind import AwaitedEvent, OperationKind, Parameters
from services.actions.operations.repository import operations
from services.actions.operations.repository.protected import Protected, skip_protected
from shared.messaging.unit_of_work import UnitOfWork


class Clearing(Parameters):
    """Who is cleared too, although they asked not to be mailed. The note says why."""

    include: tuple[Protected, ...] = ()


class Blocking(Parameters):
    """When the block ends by itself; none: it stays until it is lifted."""

    until: Time | None = None


async def _check_until(_: UnitOfWork, __: str, blocking: Blocking) -> None:
    if blocking.until is not None and blocking.until <= datetime.now(UTC):
        raise Refused("parameters.until: is over already")


async def _clear(work: UnitOfWork, operation: StoredOperation, part: Part) -> AwaitedEvent | None:
    """At the time of the request: what bounces later counts again."""
    addresses = await operations.open_addresses(work.connection, part)
    values = {"note": operation.note, "operation": operation.id}
    return send_commands(work, operation, part, addresses, BlockClear, BlockCleared, **values)


async def _block(work: UnitOfWork, operation: StoredOperation, part: Part) -> AwaitedEvent | None:
    addresses = await operations.open_addresses(work.connection, part)
    until = Blocking.model_validate(operation.parameters).until
    values = {"note": operation.note, "operation": operation.id, "until": until}
    return send_commands(work, operation, part, addresses, BlockSet, BlockApplied, **values)


async def _undo(work: UnitOfWork, operation: StoredOperation, part: Part) -> AwaitedEvent | None:
    """Have the blocklist undo what it did for this part."""
    addresses = await operations.open_addresses(work.connection, part)
    values = {"operation": operation.id, "of": operation.time}
    return send_commands(work, operation, part, addresses, BlockUndo, BlockApplied, **values)


async def _erase(work: UnitOfWork, operation: StoredOperation, part: Part) -> AwaitedEvent | None:
    """The rows go with the addresses: when none is left, the part is done."""
    addresses = await operations.open_addresses(work.connection, part)
    return send_commands(work, operation, part, addresses, AddressErase, None) and AwaitedEvent()


def send_commands(
    work: UnitOfWork,
    operation: StoredOperation,
    part: Part,
    addresses: Sequence[str],
    command: type[Contract],
    answer: type[Contract] | None,
    /,
    **values: Any,
) -> AwaitedEvent | None:
    """Send commands over addresses; return the event that answers the last one, nothing when there are none."""
    last: str | None = None
    for start in range(0, len(addresses), COMMAND_ROWS):
        some = list(addresses[start : start + COMMAND_ROWS])
        last = send_command(work, operation, part, command, some, start // COMMAND_ROWS, **values)
    return None if last is None else AwaitedEvent(awaited_id(last, answer) if answer else None)


def send_command(
    work: UnitOfWork,
    operation: StoredOperation,
    part: Part,
    command: type[Contract],
    addresses: list[str],
    number: int = 0,
    /,
    **values: Any,
) -> str:
    """Send one command; return its id, which is the same when it is sent again."""
    data = command.model_construct(addresses=addresses, time=operation.time, by=operation.by, **values)
    event = part_command(operation, part, data, number)
    work.command(event)
    return event.id


CLEAR = OperationKind(
    apply=_clear,
    undo=_undo,
    parameters=Clearing,
    part_rows=COMMAND_ROWS,
    skip=lambda clearing: skip_protected(clearing.include),
    needs_note=lambda clearing: bool(clearing.include),
)
BLOCK = OperationKind(
    apply=_block, undo=_undo, parameters=Blocking, check=_check_until, part_rows=COMMAND_ROWS, takes_erased=True
)
DELETE = OperationKind(apply=_erase, part_rows=COMMAND_ROWS)
