"""Correcting an address: the new one starts clean, the old one stays as it is, and whoever keeps it is told."""

from collections.abc import Callable, Sequence
from datetime import datetime

from returpost.contracts import AddressCorrect, AddressCorrected, ids
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.enums import UnblockCause
from returpost.contracts.trace_context import traceparent
from services.blocklist.address_state import repository
from services.blocklist.address_state.reevaluate import SOURCE, Trigger, reassess
from services.blocklist.address_state.repository import Key, Said
from shared.messaging.unit_of_work import UnitOfWork


async def take_corrections(
    events: Sequence[Event[AddressCorrect]], work: UnitOfWork, clock: Callable[[], datetime]
) -> None:
    """Clear the new addresses as of the time of the command, and tell of each correction.

    A correction that only changes how an address is written clears nothing: it is the same address.
    """
    said: dict[Key, Said] = {}
    triggers: dict[Key, Trigger] = {}
    for command in events:
        data = command.data
        for n, correction in enumerate(data.corrections):
            place = (command.tenant, key(correction.new))
            words = (min(data.time, clock()), data.by, data.note)
            if key(correction.old) != place[1] and (place not in said or said[place] <= words):
                said[place] = words
                triggers[place] = Trigger(command.id, words[0], data.by, None, data.note)
            corrected = AddressCorrected(
                old=correction.old, new=correction.new, time=data.time, by=data.by, note=data.note
            )
            identity = ids.derived(command.id, AddressCorrected.TYPE, n)
            work.emit(event(corrected, id=identity, source=SOURCE, tenant=command.tenant, traceparent=traceparent()))
    if said:
        await repository.clear(work.connection, said)
        await reassess(work, triggers, UnblockCause.CLEARED, clock())
