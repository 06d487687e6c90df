"""The repository of address states in PostgreSQL."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from asyncpg import Record

from returpost.contracts.enums import BlockCause, Reason
from services.blocklist.address_state.domain import (
    FOREVER,
    NEVER,
    NO_SUBSCRIPTIONS,
    AddressState,
    Block,
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
from services.blocklist.storms import repository as storm_repository
from services.blocklist.storms.domain import Storm
from services.blocklist.tenant_settings import repository as policy_repository
from services.blocklist.tenant_settings.domain import Policy
from shared.database import erased_addresses
from shared.database.pool import Connection
from shared.database.queries import columns, queries
from shared.messaging.unit_of_work import UnitOfWork

Q = queries(Path(__file__).with_name("states.sql"))
LOG = queries(Path(__file__).with_name("block_log.sql"))
ERASURES = queries(Path(__file__).with_name("erasures.sql"))
SUPPRESSIONS = queries(Path(__file__).with_name("suppressions.sql"))
BULK_CLEAR = queries(Path(__file__).with_name("bulk_clear.sql"))


class PostgresRepository:
    """The address states inside one transaction. See `ports.Repository` for what each method does."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    def of(cls, work: UnitOfWork) -> "PostgresRepository":
        """Open the repository of a unit of work."""
        return cls(work.connection)

    async def lock_or_create(self, delivered: Mapping[Key, datetime | None]) -> list[Key]:
        rows = ((*key, delivered[key]) for key in sorted(delivered))
        return _keys(await self._connection.fetch(Q["lock_or_create"], *columns(rows, 3)))

    async def lock_existing(self, keys: Iterable[Key]) -> dict[Key, bool]:
        rows = await self._connection.fetch(Q["lock_existing"], *columns(sorted(keys), 2))
        return {(row["tenant"], row["address"]): row["cause"] is not None for row in rows}

    async def clear(self, commands: Mapping[Key, Command]) -> None:
        rows = ((*key, *commands[key]) for key in sorted(commands))
        await self._connection.execute(Q["clear"], *columns(rows, 5))

    async def block(self, commands: Mapping[Key, ManualBlock]) -> None:
        rows = ((*key, *commands[key]) for key in sorted(commands))
        await self._connection.execute(Q["block"], *columns(rows, 6))

    async def set_former(self, commands: Mapping[Key, Command]) -> None:
        rows = ((*key, *commands[key]) for key in sorted(commands))
        await self._connection.execute(SUPPRESSIONS["set_former"], *columns(rows, 5))

    async def lift_former(self, commands: Mapping[Key, Command]) -> None:
        rows = ((*key, commands[key][0]) for key in sorted(commands))
        await self._connection.execute(SUPPRESSIONS["lift_former"], *columns(rows, 3))

    async def subscribe(self, subscriptions: Iterable[Subscription]) -> None:
        last: dict[tuple[str, str, str], Command] = {}
        for each in subscriptions:
            place = (*each.key, each.stream or "")
            last[place] = max(last.get(place, each.command), each.command)
        rows = ((*place, *last[place]) for place in sorted(last))
        await self._connection.execute(SUPPRESSIONS["subscribe"], *columns(rows, 6))

    async def next_version(self, tenant: str, now: datetime) -> int:
        values = (tenant, int(now.timestamp() * 1_000_000))
        version: int = await self._connection.fetchval(
            SUPPRESSIONS["next_version"], *values
        ) or await self._connection.fetchval(SUPPRESSIONS["first_version"], *values)
        return version

    async def note_erased(self, tenants: Iterable[str]) -> None:
        await self._connection.execute(SUPPRESSIONS["note_erased"], sorted(tenants))

    async def undo(self, commanded_at: Mapping[Key, datetime]) -> None:
        await self._connection.execute(Q["by_key"])
        rows = ((*key, commanded_at[key]) for key in sorted(commanded_at))
        await self._connection.execute(Q["undo"], *columns(rows, 3))

    async def bulk_clear(
        self, tenant: str, addresses: Sequence[str], trigger: Trigger, now: datetime, version: int
    ) -> list[tuple[str, int, bool]]:
        command = (trigger.time, trigger.by, trigger.note, trigger.subject)
        rows = await self._connection.fetch(BULK_CLEAR["bulk_clear"], tenant, addresses, *command, now, version)
        return [(addresses[n - 1], new_version, was_blocked) for n, new_version, was_blocked in rows]

    async def get(self, keys: Sequence[Key]) -> dict[Key, AddressRecord]:
        rows = await self._connection.fetch(Q["get"], *columns(keys, 2))
        cleared = [(row["tenant"], row["address"], row["last_clear"] or NEVER) for row in rows]
        bounces: dict[Key, list[Bounce]] = defaultdict(list)
        unsubscribes: dict[Key, list[Unsubscribe]] = defaultdict(list)
        for row in await self._connection.fetch(Q["bounces"], *columns(cleared, 3)):
            if row["reason"] == Reason.UNSUBSCRIBE:
                unsubscribe = Unsubscribe(row["time"], row["stream"], row["mailing"] or None)
                unsubscribes[row["tenant"], row["address"]].append(unsubscribe)
                continue
            bounce = Bounce(
                row["mailing"],
                Reason(row["reason"]),
                row["time"],
                row["may_block"],
                row["stream"],
                row["ip"],
                row["confidence"],
            )
            bounces[row["tenant"], row["address"]].append(bounce)
        subscriptions = await self._subscriptions(unsubscribes) if unsubscribes else {}
        return {
            key: AddressRecord(
                Facts(
                    bounces.get(key, ()),
                    row["last_delivered"] or NEVER,
                    row["last_clear"] or NEVER,
                    row["manual_at"] or NEVER,
                    row["manual_until"] or FOREVER,
                    row["former_at"] or NEVER,
                    row["former_lifted_at"] or NEVER,
                    unsubscribes.get(key, ()),
                    subscriptions.get(key, NO_SUBSCRIPTIONS),
                ),
                _state(row),
                row["version"],
                row["manual_by"],
                row["manual_note"],
                row["former_by"],
                row["former_note"],
            )
            for row in rows
            for key in [(row["tenant"], row["address"])]
        }

    async def _subscriptions(self, keys: Iterable[Key]) -> dict[Key, dict[str | None, datetime]]:
        found: dict[Key, dict[str | None, datetime]] = defaultdict(dict)
        for row in await self._connection.fetch(SUPPRESSIONS["subscriptions"], *columns(sorted(keys), 2)):
            found[row["tenant"], row["address"]][row["stream"] or None] = row["time"]
        return found

    async def save(self, states: Iterable[tuple[Key, int, AddressState]]) -> None:
        rows = []
        for key, version, state in states:
            block = state.block
            values: tuple[Any, ...] = (None,) * 8
            if block:
                lists = (",".join(each) or None for each in (block.exempt_streams, block.streams, block.also))
                values = (block.cause, block.since, block.reason, block.mailing, block.until, *lists)
            rows.append((*key, version, state.return_count, *values, state.changes_at))
        await self._connection.execute(Q["save"], *columns(rows, 13))

    async def add_history(self, entries: Iterable[HistoryEntry]) -> set[UUID]:
        first: dict[tuple[str, str, UUID], HistoryEntry] = {}
        for entry in entries:
            identity = (entry.tenant, entry.address, entry.id)
            if identity not in first or entry.time < first[identity].time:
                first[identity] = entry
        rows = (
            (e.tenant, e.address, e.id, e.time, e.may_block, e.mailing, e.reason, e.fault, e.rule, e.status, e.text,
             e.stream, e.ip, e.confidence)
            for _, e in sorted(first.items(), key=lambda item: item[0])
        )  # fmt: skip
        return {row["id"] for row in await self._connection.fetch(Q["add_history"], *columns(rows, 14))}

    async def expired(self, now: datetime, limit: int) -> dict[Key, datetime]:
        rows = await self._connection.fetch(Q["expired"], now, limit)
        return {(row["tenant"], row["address"]): row["changes_at"] for row in rows}

    async def add_log(self, entries: Sequence[LogEntry]) -> None:
        if entries:
            rows = (
                (e.tenant, e.address, e.version, e.at, e.blocked, e.cause, e.reason, e.subject, e.until, e.by, e.note)
                for e in entries
            )
            await self._connection.execute(LOG["add"], *columns(rows, 11))

    async def last_logged(self, keys: Iterable[Key]) -> dict[Key, LastLogEntry]:
        return {
            (row["tenant"], row["address"]): LastLogEntry(
                row["blocked"], row["cause"], row["manual_at"] if row["blocked"] else row["last_clear"], row["subject"]
            )
            for row in await self._connection.fetch(LOG["last"], *columns(sorted(keys), 2))
        }

    async def erase(self, keys: Iterable[Key]) -> None:
        values = columns(sorted(keys), 2)
        await self._connection.execute(Q["by_key"])
        await self._connection.execute(Q["erase_history"], *values)
        await self._connection.execute(Q["erase"], *values)
        await self._connection.execute(LOG["erase"], *values)
        await self._connection.execute(SUPPRESSIONS["erase"], *values)

    async def remember_erased(self, times: Mapping[Key, datetime]) -> None:
        await erased_addresses.remember(self._connection, [(*key, times[key]) for key in sorted(times)])

    async def erased_since(self, times: Sequence[tuple[str, str, datetime]]) -> set[int]:
        return await erased_addresses.erased_since(self._connection, times)

    async def schedule_erasures(self, erasures: Sequence[ScheduledErasure]) -> datetime:
        rows = ((e.tenant, e.address, e.time, e.by, e.due) for e in erasures)
        due: datetime = max(row["due"] for row in await self._connection.fetch(ERASURES["schedule"], *columns(rows, 5)))
        return due

    async def take_due_erasures(self, now: datetime, limit: int) -> list[ScheduledErasure]:
        return [ScheduledErasure(**row) for row in await self._connection.fetch(ERASURES["take_due"], now, limit)]

    async def unschedule_erasures(self, keys: Iterable[Key]) -> int:
        return len(await self._connection.fetch(ERASURES["unschedule"], *columns(sorted(set(keys)), 2)))

    async def policies(self, tenants: Iterable[str]) -> dict[str, Policy]:
        return await policy_repository.of_tenants(self._connection, tenants)

    async def policy(self, tenant: str) -> Policy:
        return await policy_repository.of_tenant(self._connection, tenant)

    async def storms(self, tenants: Iterable[str]) -> Mapping[str, Sequence[Storm]]:
        return await storm_repository.of_tenants(self._connection, tenants)


def _keys(rows: Iterable[Record]) -> list[Key]:
    return [(row["tenant"], row["address"]) for row in rows]


def _state(row: Record) -> AddressState:
    if row["cause"] is None:
        return AddressState(row["return_count"], None, row["changes_at"])
    reason = Reason(row["reason"]) if row["reason"] else None
    block = Block(
        BlockCause(row["cause"]),
        row["since"],
        reason,
        row["mailing"],
        row["until"],
        tuple(row["exempt_streams"] or ()),
        tuple(row["streams"] or ()),
        tuple(map(BlockCause, row["also"] or ())),
    )
    return AddressState(row["return_count"], block, row["changes_at"])
