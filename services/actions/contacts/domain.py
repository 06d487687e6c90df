"""Contacts: of each field the newest value that was said. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from returpost.contracts import ContactUpsert
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event
from shared.erased_addresses import AddressKey, ErasedAt, is_erased

ContactKey = tuple[str, str]
"""Tenant and contact."""
FIELDS = ("name", "company", "external_id", "former_employee")
"""The fields of a contact besides its addresses."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact, with the time at which each field was last set."""

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
    """Rises with every visible change."""


@dataclass(frozen=True, slots=True)
class ContactChange:
    """A visible change of a contact, and the command that caused it."""

    contact: Contact
    cause: Event[ContactUpsert]


def merge(contact: Contact, upsert: ContactUpsert) -> Contact:
    """Return the contact with the values of the upsert that are newer; fields that it leaves out stay.

    Of two values of the same time the greater one wins, so that the order of arrival does not matter.
    """
    new: dict[str, Any] = {}
    for field in FIELDS:
        value, old, old_time = getattr(upsert, field), getattr(contact, field), getattr(contact, f"{field}_at")
        if value is not None and is_newer(upsert.time, value, old_time, type(value)() if old is None else old):
            new |= {field: value, f"{field}_at": upsert.time}
    if upsert.addresses is not None:
        addresses = _distinct(upsert.addresses)
        if is_newer(upsert.time, addresses, contact.addresses_at, contact.addresses):
            new |= {"addresses": addresses, "addresses_at": upsert.time}
    return replace(contact, **new)


def is_newer(time: datetime, value: object, old_time: datetime | None, old_value: object) -> bool:
    """Say whether a value replaces the old one: later, or at the same time greater."""
    return old_time is None or (time, value) > (old_time, old_value)


def apply_upserts(
    before: Mapping[ContactKey, Contact], upserts: Sequence[Event[ContactUpsert]], erased: ErasedAt
) -> tuple[dict[ContactKey, Contact], list[ContactChange]]:
    """Return the contacts after the upserts, and every visible change in order."""
    after, changes = dict(before), []
    for upsert in upserts:
        place = (upsert.tenant, upsert.data.contact)
        known = after[place]
        merged = merge(known, _without_erased(upsert, erased))
        if _visible(merged) != _visible(known):
            merged = replace(merged, version=known.version + 1)
            changes.append(ContactChange(merged, upsert))
        after[place] = merged
    return after, changes


def addresses_of(upserts: Iterable[Event[ContactUpsert]]) -> Iterable[AddressKey]:
    """Yield the keys of the addresses that upserts name."""
    for upsert in upserts:
        for address in upsert.data.addresses or ():
            yield upsert.tenant, key(address)


def _without_erased(upsert: Event[ContactUpsert], erased: ErasedAt) -> ContactUpsert:
    data = upsert.data
    if not erased or data.addresses is None:
        return data
    kept = [one for one in data.addresses if not is_erased(erased, upsert.tenant, key(one), data.time)]
    return data.model_copy(update={"addresses": kept})


def _distinct(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return each address once, where and as it comes first: the first one is the main one."""
    found: dict[str, str] = {}
    for address in addresses:
        found.setdefault(key(address), address)
    return tuple(found.values())


def _visible(contact: Contact) -> tuple[object, ...]:
    return *(getattr(contact, field) for field in FIELDS), contact.addresses
