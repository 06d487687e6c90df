"""The handlers of the commands to block and to clear bounce-flag."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from returpost.contracts import (
    AddressErase,
    BlockClear,
    BlockCleared,
    BlockSet,
    SubscriptionConfirmed,
    SuppressionLift,
    SuppressionSet,
    ids,
)
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import UnblockCause
from returpost.errors import InvalidMessage
from services.blocklist.address_state.bulk_clear import bulk_clear
from services.blocklist.address_state.events import new_event
from services.blocklist.address_state.handlers.command_undo import emit_applied
from services.blocklist.address_state.ports import OpenRepository
from services.blocklist.address_state.records import Command, Key, Trigger
from services.blocklist.address_state.reevaluate import reevaluate
from services.blocklist.address_state.repository.postgres import PostgresRepository
from shared.clock import check_not_in_future
from shared.messaging.unit_of_work import UnitOfWork

C = TypeVar("C", BlockSet, BlockClear, AddressErase)
D = TypeVar("D", BlockSet, BlockClear, SuppressionSet, SuppressionLift, SubscriptionConfirmed)
Clock = Callable[[], datetime]


async def handle_block_set(
    events: Sequence[Event[BlockSet]],
    work: UnitOfWork,
    clock: Clock,
    tolerance: timedelta,
    open_repository: OpenRepository = PostgresRepository.of,
) -> None:
    """Block addresses by hand, until they are cleared."""
    repository = open_repository(work)
    accepted = list(timely(events, work, clock(), tolerance))
    commands, triggers = latest(accepted)
    if commands:
        until = {command.id: command.data.until for command in accepted}
        await repository.block({key: (*command, until[triggers[key].id]) for key, command in commands.items()})
        await reevaluate(work, repository, triggers, UnblockCause.SETTINGS, clock())
    emit_applied(accepted, work)


async def handle_block_clear(
    events: Sequence[Event[BlockClear]],
    work: UnitOfWork,
    clock: Clock,
    tolerance: timedelta,
    open_repository: OpenRepository = PostgresRepository.of,
) -> None:
    """Lift blocks and zero counts from the time of the command on, and report each command's effect."""
    repository = open_repository(work)
    accepted = list(timely(events, work, clock(), tolerance))
    commands, triggers = latest(accepted)
    if others := await bulk_clear(work, repository, triggers, clock()):
        await repository.clear({key: commands[key] for key in others})
        await reevaluate(work, repository, others, UnblockCause.CLEARED, clock())
    for command in accepted:
        data = command.data
        cleared = BlockCleared.model_construct(
            addresses=data.addresses, time=data.time, by=data.by, operation=data.operation
        )
        id_ = ids.derived(command.id, BlockCleared.TYPE)
        work.emit(new_event(cleared, id=id_, tenant=command.tenant, subject=data.operation))


def latest(commands: Sequence[Event[C]]) -> tuple[dict[Key, Command], dict[Key, Trigger]]:
    """Return the last command on each address, and what triggers its evaluation."""
    last: dict[Key, Command] = {}
    triggers: dict[Key, Trigger] = {}
    for command in commands:
        data = command.data
        note = getattr(data, "note", "")
        values = (data.time, data.by, note)
        trigger = Trigger(command.id, data.time, data.by, getattr(data, "operation", None), note)
        for address in data.addresses:
            whose = (command.tenant, key(address))
            if whose not in last or last[whose] <= values:
                last[whose] = values
                triggers[whose] = trigger
    return last, triggers


def timely(events: Sequence[Event[D]], work: UnitOfWork, now: datetime, tolerance: timedelta) -> Iterator[Event[D]]:
    """Yield the commands that are not from the future; refuse the others."""
    for command in events:
        try:
            check_not_in_future(command.data.time, now, tolerance)
        except InvalidMessage as error:
            work.refuse(command, str(error))
        else:
            yield command
