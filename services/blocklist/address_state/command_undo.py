"""The undo of what operations commanded, and what tells them that a command took effect."""

from collections.abc import Callable, Sequence
from datetime import datetime

from returpost.contracts import BlockApplied, BlockSet, BlockUndo, ids
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.enums import UnblockCause
from returpost.contracts.trace_context import traceparent
from services.blocklist.address_state import repository
from services.blocklist.address_state.reevaluate import SOURCE, Trigger, reassess
from services.blocklist.address_state.repository import Key
from shared.messaging.unit_of_work import UnitOfWork


async def take_undos(events: Sequence[Event[BlockUndo]], work: UnitOfWork, clock: Callable[[], datetime]) -> None:
    """Undo clears and blocks by hand: the standing follows from what is left. Tell each command's effect."""
    triggers: dict[Key, Trigger] = {}
    rounds: list[dict[Key, datetime]] = []
    for command in sorted(events, key=lambda one: one.data.of, reverse=True):  # the last that was done first
        data = command.data
        for address in data.addresses:
            place = (command.tenant, key(address))
            triggers[place] = Trigger(command.id, data.time, data.by, data.operation, data.note)
            of = next((one for one in rounds if place not in one), None)
            if of is None:
                rounds.append(of := {})
            of[place] = data.of
    await repository.touch(work.connection, dict.fromkeys(triggers))
    for of in rounds:
        await repository.undo(work.connection, of)
    await reassess(work, triggers, UnblockCause.CLEARED, clock())
    tell_applied(events, work)


def tell_applied(commands: Sequence[Event[BlockSet] | Event[BlockUndo]], work: UnitOfWork) -> None:
    """Tell those operations that wait for it that their commands took effect."""
    for command in commands:
        data = command.data
        if data.operation is None:
            continue
        applied = BlockApplied(operation=data.operation, time=data.time, by=data.by)
        work.emit(
            event(
                applied,
                id=ids.derived(command.id, BlockApplied.TYPE),
                source=SOURCE,
                tenant=command.tenant,
                subject=data.operation,
                traceparent=traceparent(),
            )
        )
