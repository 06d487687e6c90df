"""Address states in memory: the repository and the unit of work that handlers need, without a server.

What it does is held to the same contract as PostgreSQL by `address_state/test_repository_contract.py`.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import Reason, UnblockCause
from services.blocklist.address_state.domain import (
    FOREVER,
    NEVER,
    NO_SUBSCRIPTIONS,
    AddressState,
    Bounce,
    Facts,
    Unsubscribe,
)
from services.blocklist.address_state.records import (
    AddressRecord,
    Command,
    HistoryEntry,
    Key,
    LastLogEntry,
    LogEntry,
    ManualBlock,
    ScheduledErasure,
    Subscription,
    Trigger,
)
from services.blocklist.storms.domain import Storm
from services.blocklist.tenant_settings.domain import Policy
from shared.messaging.unit_of_work import UnitOfWork


@dataclass
class Address:
    """What is kept of one address but for its history."""

    last_delivered: datetime | None = None
    last_clear: datetime | None = None
    cleared_by: str = ""
    clear_note: str = ""
    clear_before: datetime | None = None
    manual_at: datetime | None = None
    manual_by: str | None = None
    manual_note: str | None = None
    manual_until: datetime | None = None
    manual_before: datetime | None = None
    undone: list[datetime] = field(default_factory=list)
    former: Command | None = None
    former_lifted: datetime | None = None
    state: AddressState = field(default_factory=AddressState)
    version: int = 0


@dataclass
class Database:
    """All that is kept."""

    addresses: dict[Key, Address] = field(default_factory=dict)
    history: dict[tuple[Key, UUID], HistoryEntry] = field(default_factory=dict)
    log: dict[tuple[Key, int], LogEntry] = field(default_factory=dict)
    subscriptions: dict[tuple[Key, str | None], Command] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    erased_at: dict[str, int] = field(default_factory=dict)
    erased: dict[Key, datetime] = field(default_factory=dict)
    scheduled: dict[Key, ScheduledErasure] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    storms: dict[str, list[Storm]] = field(default_factory=dict)

    def copy(self) -> "Database":
        """Return one that stays as this one is."""
        values = {name: dict(value) for name, value in vars(self).items()}
        values["addresses"] = {key: replace(one) for key, one in self.addresses.items()}
        return Database(**values)


class InMemoryRepository:
    """The address states of a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lock_or_create(self, delivered: Mapping[Key, datetime | None]) -> list[Key]:
        reduced = []
        for key, time in sorted(delivered.items(), key=lambda item: item[0]):
            address = self._create(key)
            if time is not None and (address.last_delivered is None or address.last_delivered < time):
                address.last_delivered = time
                if address.state.return_count:
                    reduced.append(key)
        return reduced

    async def lock_existing(self, keys: Iterable[Key]) -> dict[Key, bool]:
        found = {key: self._database.addresses.get(key) for key in sorted(keys)}
        return {key: one.state.block is not None for key, one in found.items() if one is not None}

    async def set_former(self, commands: Mapping[Key, Command]) -> None:
        for key, command in commands.items():
            one = self._create(key)
            one.former = command if one.former is None else max(one.former, command)

    async def lift_former(self, commands: Mapping[Key, Command]) -> None:
        for key, (time, _, _) in commands.items():
            one = self._create(key)
            one.former_lifted = time if one.former_lifted is None else max(one.former_lifted, time)

    async def subscribe(self, subscriptions: Iterable[Subscription]) -> None:
        known = self._database.subscriptions
        for each in subscriptions:
            place = (each.key, each.stream)
            known[place] = max(known.get(place, each.command), each.command)

    async def next_version(self, tenant: str, now: datetime) -> int:
        last = max([self._database.versions.get(tenant, 0), *self._versions(tenant)])
        self._database.versions[tenant] = max(last + 1, int(now.timestamp() * 1_000_000))
        return self._database.versions[tenant]

    async def clear(self, commands: Mapping[Key, Command]) -> None:
        for key, command in commands.items():
            self._clear(self._create(key), command)

    async def block(self, commands: Mapping[Key, ManualBlock]) -> None:
        for key, (time, by, note, until) in commands.items():
            one = self._create(key)
            if time in one.undone:
                continue
            if one.manual_at is None or (one.manual_at, one.manual_by or "", one.manual_note or "") < (time, by, note):
                one.manual_before, one.manual_at = one.manual_at, time
                one.manual_by, one.manual_note, one.manual_until = by, note, until

    async def note_erased(self, tenants: Iterable[str]) -> None:
        self._database.erased_at |= {tenant: self._database.versions[tenant] for tenant in tenants}

    async def undo(self, commanded_at: Mapping[Key, datetime]) -> None:
        for key, time in commanded_at.items():
            one = self._database.addresses.get(key)
            if one is None:
                continue
            one.undone = [*(other for other in one.undone if other != time), time][-8:]
            if one.last_clear == time:
                one.last_clear, one.clear_before = one.clear_before, None
            if one.manual_at == time:
                one.manual_at, one.manual_before, one.manual_until = one.manual_before, None, None

    async def bulk_clear(
        self, tenant: str, addresses: Sequence[str], trigger: Trigger, now: datetime, version: int
    ) -> list[tuple[str, int, bool]]:
        cleared = []
        for address in addresses:
            key = (tenant, address)
            one = self._database.addresses[key]
            later = any(entry.time > trigger.time or entry.reason is Reason.UNSUBSCRIBE for entry in self._history(key))
            if later or one.former is not None or (one.manual_at is not None and one.manual_at > trigger.time):
                continue
            if not self._clear(one, (trigger.time, trigger.by, trigger.note)):
                continue
            was_blocked = one.state.block is not None
            if was_blocked:
                one.version = version
                entry = LogEntry(
                    tenant, address, one.version, now, False, UnblockCause.CLEARED, None, trigger.subject, None,
                    trigger.by, trigger.note,
                )  # fmt: skip
                self._database.log[key, one.version] = entry
            one.state = AddressState()
            cleared.append((address, one.version, was_blocked))
        return cleared

    async def get(self, keys: Sequence[Key]) -> dict[Key, AddressRecord]:
        return {key: self._record(key) for key in keys if key in self._database.addresses}

    async def save(self, states: Iterable[tuple[Key, int, AddressState]]) -> None:
        for key, version, state in states:
            one = self._database.addresses[key]
            one.version, one.state = version, state

    async def add_history(self, entries: Iterable[HistoryEntry]) -> set[UUID]:
        new = set()
        for entry in entries:
            known = self._database.history.get((entry.key, entry.id))
            if known is None or entry.time < known.time:
                self._database.history[entry.key, entry.id] = entry
                new.add(entry.id)
        return new

    async def expired(self, now: datetime, limit: int) -> dict[Key, datetime]:
        changes = {key: one.state.changes_at for key, one in self._database.addresses.items()}
        due = sorted((at, key) for key, at in changes.items() if at is not None and at <= now)
        return {key: at for at, key in due[:limit]}

    async def add_log(self, entries: Sequence[LogEntry]) -> None:
        for entry in entries:
            self._database.log.setdefault(((entry.tenant, entry.address), entry.version), entry)

    async def last_logged(self, keys: Iterable[Key]) -> dict[Key, LastLogEntry]:
        last = {}
        for key in keys:
            versions = [version for whose, version in self._database.log if whose == key]
            if versions and key in self._database.addresses:
                entry, one = self._database.log[key, max(versions)], self._database.addresses[key]
                commanded_at = one.manual_at if entry.blocked else one.last_clear
                last[key] = LastLogEntry(entry.blocked, entry.cause, commanded_at, entry.subject)
        return last

    async def erase(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._database.addresses.pop(key, None)
            for whose, id_ in [one for one in self._database.history if one[0] == key]:
                del self._database.history[whose, id_]
            for whose, version in [one for one in self._database.log if one[0] == key]:
                del self._database.log[whose, version]
            for place in [one for one in self._database.subscriptions if one[0] == key]:
                del self._database.subscriptions[place]

    async def remember_erased(self, times: Mapping[Key, datetime]) -> None:
        for key, time in times.items():
            self._database.erased[key] = max(time, self._database.erased.get(key, time))

    async def erased_since(self, times: Sequence[tuple[str, str, datetime]]) -> set[int]:
        erased = self._database.erased
        return {n for n, (tenant, address, time) in enumerate(times) if erased.get((tenant, address), NEVER) >= time}

    async def schedule_erasures(self, erasures: Sequence[ScheduledErasure]) -> datetime:
        due = []
        for erasure in erasures:
            key = (erasure.tenant, erasure.address)
            known = self._database.scheduled.get(key, erasure)
            self._database.scheduled[key] = replace(known, due=min(known.due, erasure.due))
            due.append(self._database.scheduled[key].due)
        return max(due)

    async def take_due_erasures(self, now: datetime, limit: int) -> list[ScheduledErasure]:
        due = [erasure for erasure in self._database.scheduled.values() if erasure.due <= now]
        return sorted(due, key=lambda erasure: erasure.due)[:limit]

    async def unschedule_erasures(self, keys: Iterable[Key]) -> int:
        return sum(self._database.scheduled.pop(key, None) is not None for key in set(keys))

    async def policies(self, tenants: Iterable[str]) -> dict[str, Policy]:
        return {tenant: await self.policy(tenant) for tenant in tenants}

    async def policy(self, tenant: str) -> Policy:
        return self._database.policies.get(tenant, Policy())

    async def storms(self, tenants: Iterable[str]) -> Mapping[str, Sequence[Storm]]:
        return {tenant: self._database.storms.get(tenant, []) for tenant in tenants}

    def _versions(self, tenant: str) -> list[int]:
        return [one.version for key, one in self._database.addresses.items() if key[0] == tenant]

    def _create(self, key: Key) -> Address:
        return self._database.addresses.setdefault(key, Address())

    def _history(self, key: Key) -> list[HistoryEntry]:
        return [entry for (whose, _), entry in self._database.history.items() if whose == key]

    def _clear(self, one: Address, command: Command) -> bool:
        if command[0] in one.undone:
            return False
        if one.last_clear is not None and (one.last_clear, one.cleared_by, one.clear_note) >= command:
            return False
        one.clear_before = one.last_clear
        one.last_clear, one.cleared_by, one.clear_note = command
        return True

    def _record(self, key: Key) -> AddressRecord:
        one = self._database.addresses[key]
        cleared = one.last_clear or NEVER
        bounces = [
            Bounce(
                entry.mailing,
                entry.reason,
                entry.time,
                entry.may_block,
                entry.stream,
                entry.ip,
                1.0 if entry.confidence is None else entry.confidence,
            )
            for entry in self._history(key)
            if entry.time > cleared and entry.reason is not Reason.UNSUBSCRIBE
        ]
        unsubscribes = [
            Unsubscribe(entry.time, entry.stream, entry.mailing or None)
            for entry in self._history(key)
            if entry.reason is Reason.UNSUBSCRIBE
        ]
        subscriptions = {
            stream: command[0] for (whose, stream), command in self._database.subscriptions.items() if whose == key
        }
        former = one.former or (NEVER, None, None)
        facts = Facts(
            bounces or (),
            one.last_delivered or NEVER,
            cleared,
            one.manual_at or NEVER,
            one.manual_until or FOREVER,
            former[0],
            one.former_lifted or NEVER,
            unsubscribes or (),
            subscriptions if unsubscribes else NO_SUBSCRIPTIONS,
        )
        return AddressRecord(facts, one.state, one.version, one.manual_by, one.manual_note, *former[1:])


class InMemoryUnitOfWorkFactory:
    """Units of work over a `Database`: one that ends with an error has changed and published nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.published: list[Event[Any]] = []

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[UnitOfWork]:
        before = self._database.copy()
        work = UnitOfWork()
        try:
            yield work
        except BaseException:
            vars(self._database).update(vars(before))
            raise
        self.published += [outgoing.event for outgoing in work.outgoing]

    def open(self, work: UnitOfWork) -> InMemoryRepository:
        return InMemoryRepository(self._database)
