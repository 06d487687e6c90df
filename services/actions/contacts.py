"""Contacts: what CRMs tell of them, field by field the newest. `merge` is plain; `take_contacts` writes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.actions import store
from services.actions.store import Q, columns
from shared import ids
from shared.addresses import key
from shared.cloudevents import Event, event
from shared.contracts import ContactChanged, ContactUpserted
from shared.outbox import Work
from shared.telemetry import traceparent

SOURCE = "/returpost/actions"


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact with the time at which each part was last told."""

    name: str | None = None
    name_at: datetime | None = None
    company: str | None = None
    company_at: datetime | None = None
    addresses: tuple[str, ...] = ()
    addresses_at: datetime | None = None


def merge(contact: Contact, told: ContactUpserted) -> Contact:
    """Return the contact with what was told, where that is newer; what is left out stays.

    Of two values of the same time the greater one wins, so that the order of arrival does not matter.
    """
    merged = contact
    if told.name is not None and _newer(told.time, told.name, contact.name_at, contact.name or ""):
        merged = replace(merged, name=told.name, name_at=told.time)
    if told.company is not None and _newer(told.time, told.company, contact.company_at, contact.company or ""):
        merged = replace(merged, company=told.company, company_at=told.time)
    if told.addresses is not None:
        addresses = _distinct(told.addresses)
        if _newer(told.time, addresses, contact.addresses_at, contact.addresses):
            merged = replace(merged, addresses=addresses, addresses_at=told.time)
    return merged


def _distinct(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return each address once, where and as it comes first: the first one is the main one."""
    found: dict[str, str] = {}
    for address in addresses:
        found.setdefault(key(address), address)
    return tuple(found.values())


def _newer(time: datetime, value: object, old_time: datetime | None, old_value: object) -> bool:
    return old_time is None or (time, value) > (old_time, old_value)


async def take_contacts(events: Sequence[Event[ContactUpserted]], work: Work) -> None:
    """Merge what was told, and tell of each contact that is not what it was."""
    keys = sorted({(event.tenant, event.data.contact) for event in events})
    tenants, contacts = columns(keys, 2)
    erased = await store.erased(work.connection, _places(events))
    await work.connection.execute(Q["lock_contacts"], tenants, contacts)
    await work.connection.execute(Q["hold_contacts"], tenants, contacts)
    before = {
        (row["tenant"], row["contact"]): _contact(row)
        for row in await work.connection.fetch(Q["read_contacts"], tenants, contacts)
    }
    after = dict(before)
    for told in events:
        place = (told.tenant, told.data.contact)
        known = after[place]
        after[place] = merge(known, _without(erased, told))
        if _values(after[place]) != _values(known):
            work.emit(_changed(told))
    await _write(work, {place: after[place] for place in keys if after[place] != before[place]}, before)


def _places(events: Iterable[Event[ContactUpserted]]) -> Iterable[store.Place]:
    for told in events:
        for address in told.data.addresses or ():
            yield told.tenant, key(address)


def _without(erased: Mapping[store.Place, datetime], told: Event[ContactUpserted]) -> ContactUpserted:
    """Return what was told without the addresses that were erased after it was told."""
    data = told.data
    if not erased or data.addresses is None:
        return data
    gone = {address for (tenant, address), at in erased.items() if tenant == told.tenant and data.time <= at}
    return data.model_copy(update={"addresses": [one for one in data.addresses if key(one) not in gone]})


async def _write(work: Work, new: dict[tuple[str, str], Contact], before: dict[tuple[str, str], Contact]) -> None:
    rows = [(*place, c.name, c.name_at, c.company, c.company_at, c.addresses_at) for place, c in new.items()]
    await work.connection.execute(Q["write_contacts"], *columns(rows, 7))
    moved = {place: contact for place, contact in new.items() if contact.addresses != before[place].addresses}
    await work.connection.execute(Q["remove_addresses"], *columns(list(moved), 2))
    await work.connection.execute(Q["give_addresses"], *columns(list(_given(moved)), 5))


def _given(moved: dict[tuple[str, str], Contact]) -> Iterable[tuple[str, str, str, int, str]]:
    for (tenant, contact), value in moved.items():
        for rank, address in enumerate(value.addresses):
            yield tenant, key(address), contact, rank, address


def _contact(row: store.Row) -> Contact:
    return Contact(
        row["name"], row["name_at"], row["company"], row["company_at"], tuple(row["addresses"]), row["addresses_at"]
    )


def _values(contact: Contact) -> tuple[object, ...]:
    return contact.name, contact.company, contact.addresses


def _changed(told: Event[ContactUpserted]) -> Event[ContactChanged]:
    data = ContactChanged(contact=told.data.contact, what="upserted", by=told.source, time=told.data.time)
    identity = ids.derived(told.id, ContactChanged.TYPE)
    return event(data, id=identity, source=SOURCE, tenant=told.tenant, subject=data.contact, traceparent=traceparent())
