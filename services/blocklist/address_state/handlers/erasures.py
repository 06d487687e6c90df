"""The handler of the command to erase addresses."""

from collections.abc import Callable, Sequence
from datetime import datetime

from returpost.contracts import AddressErase, AddressErased, ids
from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import UnblockCause
from services.blocklist.address_state.events import new_event, unblocked_event
from services.blocklist.address_state.handlers.commands import latest
from services.blocklist.address_state.ports import OpenRepository
from services.blocklist.address_state.repository.postgres import PostgresRepository
from shared.messaging.unit_of_work import UnitOfWork


async def handle_erase(
    events: Sequence[Event[AddressErase]],
    work: UnitOfWork,
    clock: Callable[[], datetime],
    *,
    remember: bool = True,
    open_repository: OpenRepository = PostgresRepository.of,
) -> None:
    """Remove addresses and their history, lift their blocks, and have everybody do the same."""
    repository = open_repository(work)
    _, triggers = latest(events)
    await repository.unschedule_erasures(triggers)
    existing = await repository.lock_existing(triggers)
    await repository.erase(existing)
    if remember:
        await repository.remember_erased({address: trigger.time for address, trigger in triggers.items()})
    blocked: set[str] = set()
    for address, trigger in sorted(triggers.items(), key=lambda item: item[0]):
        if existing.get(address, False):
            version = await repository.next_version(address[0], clock())
            work.emit(unblocked_event(address, version, trigger, UnblockCause.ERASED))
            blocked.add(address[0])
        erased = AddressErased.model_construct(address=address[1], time=trigger.time, by=trigger.by)
        id_ = ids.derived(trigger.id, f"{AddressErased.TYPE} {address[1]}")
        work.emit(new_event(erased, id=id_, tenant=address[0]))
    if blocked:
        await repository.note_erased(blocked)
