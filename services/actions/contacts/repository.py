"""Contacts in PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import orjson

from returpost.contracts.addresses import key
from services.actions.contacts.collation import order_key, search_words
from services.actions.contacts.domain import Contact, ContactKey
from services.actions.mailings.repository.erasures import erased_at
from shared.database.pool import Connection, Pool
from shared.database.queries import columns, queries
from shared.erased_addresses import AddressKey
from shared.messaging.unit_of_work import UnitOfWork

_Q = queries(Path(__file__).with_name("contacts.sql"))
_FIELDS = [field.name for field in fields(Contact) if field.name != "addresses"]

Row = Mapping[str, Any]


class ContactRepository(Protocol):
    """Contacts, within one unit of work."""

    async def erased_at(self, addresses: Iterable[AddressKey]) -> dict[AddressKey, datetime]:
        """Return when these addresses were erased, of those that were; none is erased before the unit of work ends."""
        ...

    async def lock_or_create(self, places: Sequence[ContactKey]) -> dict[ContactKey, Contact]:
        """Return these contacts, locked; those that did not exist are empty. `places` are sorted."""
        ...

    async def save(self, contacts: Mapping[ContactKey, Contact], before: Mapping[ContactKey, Contact]) -> None:
        """Write contacts that are locked; `before` is what they were."""
        ...

    async def refresh_former(self, addresses: Iterable[AddressKey]) -> list[tuple[str, str, bool]]:
        """Return those of these addresses of which it is new that all owners have left (true), or no longer have."""
        ...


class PostgresContacts:
    """`ContactRepository` over the transaction of a unit of work."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection

    async def erased_at(self, addresses: Iterable[AddressKey]) -> dict[AddressKey, datetime]:
        return await erased_at(self._connection, addresses)

    async def lock_or_create(self, places: Sequence[ContactKey]) -> dict[ContactKey, Contact]:
        tenants, contacts = columns(places, 2)
        await self._connection.execute(_Q["create_contacts"], tenants, contacts)
        await self._connection.execute(_Q["lock_contacts"], tenants, contacts)
        rows = await self._connection.fetch(_Q["read_contacts"], tenants, contacts)
        return {
            (row["tenant"], row["contact"]): Contact(
                **{name: row[name] for name in _FIELDS}, addresses=tuple(row["addresses"])
            )
            for row in rows
        }

    async def save(self, contacts: Mapping[ContactKey, Contact], before: Mapping[ContactKey, Contact]) -> None:
        rows = [
            (
                *place, c.name, c.name_at, c.company, c.company_at, c.external_id, c.external_id_at, c.former_employee,
                c.former_employee_at, c.addresses_at, c.version, order_key(c.name), order_key(c.company),
                " ".join(search_words(place[0], (c.name, c.company, c.external_id))),
            )
            for place, c in contacts.items()
        ]  # fmt: skip
        await self._connection.execute(_Q["write_contacts"], *columns(rows, 15))
        moved = {place: c for place, c in contacts.items() if c.addresses != before[place].addresses}
        await self._connection.execute(_Q["remove_addresses"], *columns(list(moved), 2))
        await self._connection.execute(_Q["add_addresses"], *columns(list(_address_rows(moved)), 5))

    async def refresh_former(self, addresses: Iterable[AddressKey]) -> list[tuple[str, str, bool]]:
        return await refresh_former(self._connection, addresses)


async def refresh_former(connection: Connection, addresses: Iterable[AddressKey]) -> list[tuple[str, str, bool]]:
    """Return those of these addresses of which it is new that all owners have left (true), or no longer have."""
    touched = sorted(set(addresses))
    if not touched:
        return []
    return [tuple(row) for row in await connection.fetch(_Q["refresh_former"], *columns(touched, 2))]


def _address_rows(contacts: Mapping[ContactKey, Contact]) -> Iterable[tuple[str, str, str, int, str]]:
    for (tenant, contact), value in contacts.items():
        for rank, address in enumerate(value.addresses):
            yield tenant, key(address), contact, rank, address


async def lock_version(connection: Connection, tenant: str, contact: str) -> int | None:
    """Lock a contact and return its version; nothing when it does not exist."""
    await connection.execute(_Q["lock_contacts"], [tenant], [contact])
    return await version(connection, tenant, contact)


async def version(connection: Connection, tenant: str, contact: str) -> int | None:
    """Return the version of a contact; nothing when it does not exist."""
    row = await connection.fetchrow(_Q["contact"], tenant, contact)
    return None if row is None else int(row["version"])


async def find_contact(pool: Pool, tenant: str, contact: str, max_history: int) -> dict[str, Any] | None:
    """Return a contact with its addresses, lists and history, newest first; nothing when it does not exist."""
    async with pool.acquire() as connection:
        row = await connection.fetchrow(_Q["contact"], tenant, contact)
        if row is None:
            return None
        return {
            **row,
            "addresses": [dict(one) for one in await connection.fetch(_Q["addresses_of"], tenant, contact)],
            "lists": [dict(one) for one in await connection.fetch(_Q["lists_of"], tenant, contact)],
            "history": await history(connection, tenant, contact, (), max_history),
        }


async def history(
    connection: Connection, tenant: str, contact: str | None, addresses: Sequence[str], max_history: int
) -> list[dict[str, Any]]:
    """Return what happened to the addresses of a contact, or to these addresses, newest first."""
    rows = await connection.fetch(_Q["history"], tenant, contact, max_history, list(addresses))
    return [dict(row) for row in rows]


def with_addresses(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of a page of contacts with its addresses decoded."""
    return row | {"addresses": orjson.loads(row["addresses"])}
