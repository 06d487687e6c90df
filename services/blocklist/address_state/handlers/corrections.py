"""Correcting an address: the new one starts clean, the old one stays as it is, and whoever keeps it is told."""

from collections.abc import Callable, Sequence
from datetime import datetime

from returpost.contracts import AddressCorrect, AddressCorrected, ids
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import UnblockCause
from services.blocklist.address_state.events import new_event
from services.blocklist.address_state.ports import OpenRepository
from services.blocklist.address_state.records import Command, Key, Trigger
from services.blocklist.address_state.reevaluate import reevaluate
from services.blocklist.address_state.repository.postgres import PostgresRepository
from shared.messaging.unit_of_work import UnitOfWork


async def handle_corrections(
    events: Sequence[Event[AddressCorrect]],
    work: UnitOfWork,
    clock: Callable[[], datetime],
    open_repository: OpenRepository = PostgresRepository.of,
) -> None:
    """Clear the new addresses as of the time of the command, and tell of each correction.

    A correction that only changes how an address is written clears nothing: it is the same address.
    """
    commands: dict[Key, Command] = {}
    triggers: dict[Key, Trigger] = {}
    for command in events:
        data = command.data
        for n, correction in enumerate(data.corrections):
            address = (command.tenant, key(correction.new))
            values = (min(data.time, clock()), data.by, data.note)
            if key(correction.old) != address[1] and (address not in commands or commands[address] <= values):
                commands[address] = values
                triggers[address] = Trigger(command.id, values[0], data.by, None, data.note)
            corrected = AddressCorrected(
                old=correction.old, new=correction.new, time=data.time, by=data.by, note=data.note
            )
            work.emit(new_event(corrected, id=ids.derived(command.id, AddressCorrected.TYPE, n), tenant=command.tenant))
    if commands:
        repository = open_repository(work)
        await repository.clear(commands)
        await reevaluate(work, repository, triggers, UnblockCause.CLEARED, clock())
