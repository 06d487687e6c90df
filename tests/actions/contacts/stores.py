"""Where handlers read and write: in memory, or in PostgreSQL. The same contract holds for both."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import ListKind
from services.actions.contacts.domain import Contact, ContactKey
from services.actions.contacts.handlers import upsert_contacts
from services.actions.contacts.lists.domain import List, ListKey, MemberKey, Membership
from services.actions.contacts.lists.handlers import upsert_lists
from services.actions.contacts.lists.repository import ListRepository, PostgresLists
from services.actions.contacts.repository import ContactRepository, PostgresContacts
from services.actions.mailings.repository import erasures
from shared.database.pool import Pool
from shared.erased_addresses import AddressKey
from shared.messaging.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of work with its repositories."""

    work: UnitOfWork
    contacts: ContactRepository
    lists: ListRepository

    async def upsert(self, *events: Event[Any]) -> list[Event[Any]]:
        """Handle commands of one type; return the events of the unit of work."""
        if hasattr(events[0].data, "contact"):
            await upsert_contacts(events, self.work, lambda _: self.contacts)
        else:
            await upsert_lists(events, self.work, lambda _: self.lists)
        return [outgoing.event for outgoing in self.work.outgoing]


class Store(Protocol):
    """Begins units of work."""

    def begin(self) -> Any:
        """Return an async context manager that gives a `Unit`; what it wrote stays when it ends well."""
        ...

    async def erase(self, times: Mapping[AddressKey, datetime]) -> None:
        """Erase addresses."""
        ...


@dataclass
class MemoryStore:
    """All state in dictionaries; units of work run one after another."""

    contacts: dict[ContactKey, Contact] = field(default_factory=dict)
    lists: dict[tuple[str, str, str], List] = field(default_factory=dict)
    sizes: dict[tuple[str, str, str], int] = field(default_factory=dict)
    members: dict[tuple[ListKind, MemberKey], Membership] = field(default_factory=dict)
    erased: dict[AddressKey, datetime] = field(default_factory=dict)
    former: dict[AddressKey, bool] = field(default_factory=dict)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Unit]:
        before = {name: dict(value) for name, value in vars(self).items()}
        try:
            yield Unit(UnitOfWork(), MemoryContacts(self), MemoryLists(self))
        except BaseException:
            vars(self).update(before)
            raise

    async def erase(self, times: Mapping[AddressKey, datetime]) -> None:
        self.erased |= times


class MemoryContacts:
    """`ContactRepository` in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def erased_at(self, addresses: Iterable[AddressKey]) -> dict[AddressKey, datetime]:
        return {place: self._store.erased[place] for place in addresses if place in self._store.erased}

    async def lock_or_create(self, places: Sequence[ContactKey]) -> dict[ContactKey, Contact]:
        return {place: self._store.contacts.setdefault(place, Contact()) for place in places}

    async def save(self, contacts: Mapping[ContactKey, Contact], before: Mapping[ContactKey, Contact]) -> None:
        assert all(self._store.contacts[place] == before[place] for place in contacts)
        self._store.contacts |= contacts

    async def refresh_former(self, addresses: Iterable[AddressKey]) -> list[tuple[str, str, bool]]:
        changes = []
        for tenant, address in sorted(set(addresses)):
            owners = [
                contact.former_employee
                for place, contact in self._store.contacts.items()
                if place[0] == tenant and address in map(key, contact.addresses)
            ]
            former = bool(owners) and all(owners)
            if former != ((tenant, address) in self._store.former):
                changes.append((tenant, address, former))
                if former:
                    self._store.former[tenant, address] = True
                else:
                    del self._store.former[tenant, address]
        return changes


class MemoryLists:
    """`ListRepository` in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def lock_or_create(self, kind: ListKind, places: Sequence[ListKey]) -> dict[ListKey, List]:
        return {place: self._store.lists.setdefault((place[0], kind.value, place[1]), List()) for place in places}

    async def apply_memberships(
        self, kind: ListKind, memberships: Mapping[MemberKey, Membership], replaced: Mapping[ListKey, List]
    ) -> list[tuple[MemberKey, bool]]:
        members, applied = self._store.members, []
        for place, new in memberships.items():
            old = members.get((kind, place))
            if old is None or (new.time, new.member) > (old.time, old.member):
                members[kind, place] = new
                if new.member != (old is not None and old.member):
                    applied.append((place, new.member))
        for (tenant, name), now in replaced.items():
            for (of, place), old in list(members.items()):
                ended = old.member and now.members_at is not None and old.time < now.members_at
                if of is kind and place[:2] == (tenant, name) and ended:
                    members[of, place] = Membership(old.time, False)
                    applied.append((place, False))
        return applied

    async def save(self, kind: ListKind, lists: Mapping[ListKey, List], growth: Mapping[ListKey, int]) -> None:
        for (tenant, name), value in lists.items():
            place = (tenant, kind.value, name)
            self._store.lists[place] = value
            self._store.sizes[place] = self._store.sizes.get(place, 0) + growth.get((tenant, name), 0)


class PostgresStore:
    """The service's own repositories."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Unit]:
        async with self._pool.acquire() as connection, connection.transaction():
            work = UnitOfWork(connection)
            yield Unit(work, PostgresContacts(work), PostgresLists(work))

    async def erase(self, times: Mapping[AddressKey, datetime]) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await erasures.erase(connection, times)
