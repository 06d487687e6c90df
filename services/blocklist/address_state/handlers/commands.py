"""What people and other services command: block, clear bounce-flag, erase. The handlers of the commands."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from returpost.contracts import AddressErase, AddressErased, BlockClear, BlockCleared, BlockSet, ids
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.enums import UnblockCause
from returpost.contracts.trace_context import traceparent
from services.blocklist.address_state import block_log, repository
from services.blocklist.address_state.bulk_clear import clear_calm
from services.blocklist.address_state.command_undo import tell_applied
from services.blocklist.address_state.erasures import repository as erasures
from services.blocklist.address_state.reevaluate import SOURCE, Trigger, next_version, reassess, unblocked
from services.blocklist.address_state.repository import Key, Said
from shared.messaging.unit_of_work import UnitOfWork

C = TypeVar("C", BlockSet, BlockClear, AddressErase)
Clock = Callable[[], datetime]


async def take_sets(events: Sequence[Event[BlockSet]], work: UnitOfWork, clock: Clock, tolerance: timedelta) -> None:
    """Block addresses by hand, until they are cleared."""
    timely = list(_timely(events, work, clock(), tolerance))
    said, triggers = _latest(timely)
    if said:
        until = {command.id: command.data.until for command in timely}
        sets = {place: (*words, until[triggers[place].id]) for place, words in said.items()}
        await repository.set_by_hand(work.connection, sets)
        await reassess(work, triggers, UnblockCause.SETTINGS, clock())
    tell_applied(timely, work)


async def take_clears(
    events: Sequence[Event[BlockClear]], work: UnitOfWork, clock: Clock, tolerance: timedelta
) -> None:
    """Lift blocks and zero counts from the time of the command on, and tell each command's effect."""
    timely = list(_timely(events, work, clock(), tolerance))
    said, triggers = _latest(timely)
    if others := await clear_calm(work, triggers, clock()):
        await repository.clear(work.connection, {place: said[place] for place in others})
        await reassess(work, others, UnblockCause.CLEARED, clock())
    for command in timely:
        data = command.data
        cleared = BlockCleared.model_construct(
            addresses=data.addresses, time=data.time, by=data.by, operation=data.operation
        )
        work.emit(
            event(
                cleared,
                id=ids.derived(command.id, BlockCleared.TYPE),
                source=SOURCE,
                tenant=command.tenant,
                subject=data.operation,
                traceparent=traceparent(),
            )
        )


async def take_erasures(
    events: Sequence[Event[AddressErase]], work: UnitOfWork, clock: Clock, *, remember: bool = True
) -> None:
    """Remove addresses and their history, lift their blocks, and have everybody do the same."""
    _, triggers = _latest(events)
    await erasures.leave(work.connection, triggers)
    taken = await repository.take_in_hand(work.connection, triggers)
    await repository.erase(work.connection, taken)
    await block_log.erase(work.connection, taken)
    if remember:
        await erasures.remember(work.connection, {place: trigger.time for place, trigger in triggers.items()})
    for place, trigger in triggers.items():
        is_blocked, version = taken.get(place, (False, 0))
        if is_blocked:
            work.emit(unblocked(place, next_version(version, clock()), trigger, UnblockCause.ERASED))
        erased = AddressErased.model_construct(address=place[1], time=trigger.time, by=trigger.by)
        work.emit(
            event(
                erased,
                id=ids.derived(trigger.id, f"{AddressErased.TYPE} {place[1]}"),
                source=SOURCE,
                tenant=place[0],
                traceparent=traceparent(),
            )
        )


def _timely(events: Sequence[Event[C]], work: UnitOfWork, now: datetime, tolerance: timedelta) -> Iterator[Event[C]]:
    for command in events:
        if command.data.time <= now + tolerance:
            yield command
        else:
            work.refuse(command, f"data.time: {command.data.time.isoformat()} is in the future; set the clock right")


def _latest(commands: Sequence[Event[C]]) -> tuple[dict[Key, Said], dict[Key, Trigger]]:
    """Return the last command on each address, and what to tell of it."""
    said: dict[Key, Said] = {}
    triggers: dict[Key, Trigger] = {}
    for command in commands:
        data = command.data
        note = getattr(data, "note", "")
        words = (data.time, data.by, note)
        trigger = Trigger(command.id, data.time, data.by, getattr(data, "operation", None), note)
        for address in data.addresses:
            place = (command.tenant, key(address))
            if place not in said or said[place] <= words:
                said[place] = words
                triggers[place] = trigger
    return said, triggers
