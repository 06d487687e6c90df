"""Contacts: what CRMs tell of them, field by field the newest. `merge` is plain; `take_contacts` writes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from returpost.contracts import ContactChanged, ContactUpsert, ids
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.trace_context import traceparent
from services.actions import store
from services.actions.store import columns
from services.actions.text import order_key, words
from shared.database.queries import queries
from shared.messaging.unit_of_work import UnitOfWork

Q = queries(Path(__file__).with_name("sql") / "contacts.sql")
SOURCE = "/returpost/actions"


FIELDS = ("name", "company", "external_id", "former_employee")
"""What is told of a contact besides its addresses."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact with the time at which each part was last told."""

    name: str | None = None
    name_at: datetime | None = None
    company: str | None = None
    company_at: datetime | None = None
    external_id: str | None = None
    external_id_at: datetime | None = None
    former_employee: bool = False
    former_employee_at: datetime | None = None
    addresses: tuple[str, ...] = ()
    addresses_at: datetime | None = None
    version: int = 0
    """Rises with every change that is to be seen."""


def merge(contact: Contact, told: ContactUpsert) -> Contact:
    """Return the contact with what was told, where that is newer; what is left out stays.

    Of two values of the same time the greater one wins, so that the order of arrival does not matter.
    """
    new: dict[str, Any] = {}
    for field in FIELDS:
        value, old, old_time = getattr(told, field), getattr(contact, field), getattr(contact, f"{field}_at")
        if value is not None and _newer(told.time, value, old_time, type(value)() if old is None else old):
            new |= {field: value, f"{field}_at": told.time}
    if told.addresses is not None:
        addresses = _distinct(told.addresses)
        if _newer(told.time, addresses, contact.addresses_at, contact.addresses):
            new |= {"addresses": addresses, "addresses_at": told.time}
    return replace(contact, **new)


def _distinct(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return each address once, where and as it comes first: the first one is the main one."""
    found: dict[str, str] = {}
    for address in addresses:
        found.setdefault(key(address), address)
    return tuple(found.values())


def _newer(time: datetime, value: object, old_time: datetime | None, old_value: object) -> bool:
    return old_time is None or (time, value) > (old_time, old_value)


async def take_contacts(events: Sequence[Event[ContactUpsert]], work: UnitOfWork) -> None:
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
            after[place] = replace(after[place], version=known.version + 1)
            work.emit(changed(told.tenant, told.data.contact, after[place], told.id, told.source, told.data.time))
    await _write(work, {place: after[place] for place in keys if after[place] != before[place]}, before)


def _places(events: Iterable[Event[ContactUpsert]]) -> Iterable[store.Place]:
    for told in events:
        for address in told.data.addresses or ():
            yield told.tenant, key(address)


def _without(erased: Mapping[store.Place, datetime], told: Event[ContactUpsert]) -> ContactUpsert:
    """Return what was told without the addresses that were erased after it was told."""
    data = told.data
    if not erased or data.addresses is None:
        return data
    gone = {address for (tenant, address), at in erased.items() if tenant == told.tenant and data.time <= at}
    return data.model_copy(update={"addresses": [one for one in data.addresses if key(one) not in gone]})


async def _write(work: UnitOfWork, new: dict[tuple[str, str], Contact], before: dict[tuple[str, str], Contact]) -> None:
    rows = [
        (
            *place, c.name, c.name_at, c.company, c.company_at, c.external_id, c.external_id_at, c.former_employee,
            c.former_employee_at, c.addresses_at, c.version, order_key(c.name), order_key(c.company),
            " ".join(words(place[0], (c.name, c.company, c.external_id))),
        )
        for place, c in new.items()
    ]  # fmt: skip
    await work.connection.execute(Q["write_contacts"], *columns(rows, 15))
    moved = {place: contact for place, contact in new.items() if contact.addresses != before[place].addresses}
    await work.connection.execute(Q["remove_addresses"], *columns(list(moved), 2))
    await work.connection.execute(Q["give_addresses"], *columns(list(_given(moved)), 5))


def _given(moved: dict[tuple[str, str], Contact]) -> Iterable[tuple[str, str, str, int, str]]:
    for (tenant, contact), value in moved.items():
        for rank, address in enumerate(value.addresses):
            yield tenant, key(address), contact, rank, address


def _contact(row: store.Row) -> Contact:
    return Contact(**{name: row[name] for name in _NAMES} | {"addresses": tuple(row["addresses"])})


_NAMES = [field.name for field in fields(Contact) if field.name != "addresses"]


def _values(contact: Contact) -> tuple[object, ...]:
    return *(getattr(contact, field) for field in FIELDS), contact.addresses


def changed(
    tenant: str, contact: str, now: Contact, cause: str, by: str, time: datetime, what: str = "upserted"
) -> Event[ContactChanged]:
    """Return the event that tells what a contact is now."""
    data = ContactChanged(
        contact=contact,
        what=what,
        by=by,
        time=time,
        version=now.version,
        name=now.name,
        company=now.company,
        external_id=now.external_id,
        former_employee=now.former_employee,
        addresses=list(now.addresses),
    )
    identity = ids.derived(cause, ContactChanged.TYPE)
    return event(data, id=identity, source=SOURCE, tenant=tenant, subject=contact, traceparent=traceparent())
