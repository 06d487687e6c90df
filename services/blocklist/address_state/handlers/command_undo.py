"""The handler that undoes commands of operations, and what reports that a command took effect."""

from collections.abc import Callable, Sequence
from datetime import datetime

from returpost.contracts import BlockApplied, BlockSet, BlockUndo, SuppressionLift, SuppressionSet, ids
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import UnblockCause
from services.blocklist.address_state.events import new_event
from services.blocklist.address_state.ports import OpenRepository
from services.blocklist.address_state.records import Key, Trigger
from services.blocklist.address_state.reevaluate import reevaluate
from services.blocklist.address_state.repository.postgres import PostgresRepository
from shared.messaging.unit_of_work import UnitOfWork


async def handle_undo(
    events: Sequence[Event[BlockUndo]],
    work: UnitOfWork,
    clock: Callable[[], datetime],
    open_repository: OpenRepository = PostgresRepository.of,
) -> None:
    """Undo clears and blocks by hand: the state follows from what is left. Report each command's effect."""
    repository = open_repository(work)
    triggers: dict[Key, Trigger] = {}
    rounds: list[dict[Key, datetime]] = []
    for command in sorted(events, key=lambda one: one.data.of, reverse=True):  # the last that was done first
        data = command.data
        for address in data.addresses:
            whose = (command.tenant, key(address))
            triggers[whose] = Trigger(command.id, data.time, data.by, data.operation, data.note)
            undone = next((one for one in rounds if whose not in one), None)
            if undone is None:
                rounds.append(undone := {})
            undone[whose] = data.of
    await repository.lock_or_create(dict.fromkeys(triggers))
    for undone in rounds:
        await repository.undo(undone)
    await reevaluate(work, repository, triggers, UnblockCause.CLEARED, clock())
    emit_applied(events, work)


def emit_applied(
    commands: Sequence[Event[BlockSet] | Event[BlockUndo] | Event[SuppressionSet] | Event[SuppressionLift]],
    work: UnitOfWork,
) -> None:
    """Tell those operations that wait for it that their commands took effect."""
    for command in commands:
        data = command.data
        if data.operation is None:
            continue
        applied = BlockApplied(operation=data.operation, time=data.time, by=data.by)
        id_ = ids.derived(command.id, BlockApplied.TYPE)
        work.emit(new_event(applied, id=id_, tenant=command.tenant, subject=data.operation))
