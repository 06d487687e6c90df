"""What handlers need of a store of address states. PostgreSQL implements it, and memory, for tests without a server.

Every method works on a batch, and none decides. Whoever changes addresses first locks all of them, in the order of
their keys, by `lock_or_create`, `clear`, `block` or `lock_existing`, one of these a transaction: so two batches with
the same addresses wait for each other instead of deadlocking.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeAlias
from uuid import UUID

from services.blocklist.address_state.domain import AddressState
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


class Repository(Protocol):
    """The address states inside one unit of work."""

    async def lock_or_create(self, delivered: Mapping[Key, datetime | None]) -> list[Key]:
        """Lock addresses and keep their last delivery; return those whose return count a delivery may have reduced."""
        ...

    async def lock_existing(self, keys: Iterable[Key]) -> dict[Key, bool]:
        """Lock the addresses that exist; return whether each is blocked."""
        ...

    async def clear(self, commands: Mapping[Key, Command]) -> None:
        """Lock addresses and keep their last clear: the greatest of (time, by, note)."""
        ...

    async def block(self, commands: Mapping[Key, ManualBlock]) -> None:
        """Lock addresses and keep their last block by hand: the greatest of (time, by, note)."""
        ...

    async def set_former(self, commands: Mapping[Key, Command]) -> None:
        """Keep of locked addresses when their last owner was said to have left: the greatest of (time, by, note)."""
        ...

    async def lift_former(self, commands: Mapping[Key, Command]) -> None:
        """Keep of locked addresses when an owner of theirs was last set back."""
        ...

    async def subscribe(self, subscriptions: Iterable[Subscription]) -> None:
        """Keep the last subscription of locked addresses to each stream."""
        ...

    async def next_version(self, tenant: str, now: datetime) -> int:
        """Return a version above all that addresses of the tenant have.

        Nobody else gets one of the tenant before the transaction ends. Microseconds since 1970, so that it rises also
        across a rebuilt database, which forgets the last one. Whoever takes one has locked its addresses before; of
        several tenants, in the order of their names.
        """
        ...

    async def note_erased(self, tenants: Iterable[str]) -> None:
        """Keep that the last version of these tenants tells of an erasure, of which nothing else is left."""
        ...

    async def undo(self, commanded_at: Mapping[Key, datetime]) -> None:
        """Put back what was before the clear or block by hand of that time, of locked addresses."""
        ...

    async def bulk_clear(
        self, tenant: str, addresses: Sequence[str], trigger: Trigger, now: datetime, version: int
    ) -> list[tuple[str, int, bool]]:
        """Clear those locked addresses of which nothing later than the clear is known; lift and log their blocks.

        One that was unsubscribed or has left is left out. Returns address, version (`version` where a block was lifted)
        and whether it was blocked.
        """
        ...

    async def get(self, keys: Sequence[Key]) -> dict[Key, AddressRecord]:
        """Return what is known of each of these addresses that exists."""
        ...

    async def save(self, states: Iterable[tuple[Key, int, AddressState]]) -> None:
        """Write the states of locked addresses, with their versions."""
        ...

    async def add_history(self, entries: Iterable[HistoryEntry]) -> set[UUID]:
        """Add to the history of locked addresses; return the ids of what is new, or older than it was known to be."""
        ...

    async def expired(self, now: datetime, limit: int) -> dict[Key, datetime]:
        """Return addresses whose state time alone has changed, and when it did, the longest due first."""
        ...

    async def add_log(self, entries: Sequence[LogEntry]) -> None:
        """Add blocks and lifts to the log."""
        ...

    async def last_logged(self, keys: Iterable[Key]) -> dict[Key, LastLogEntry]:
        """Return the last block or lift of each of these addresses that had any."""
        ...

    async def erase(self, keys: Iterable[Key]) -> None:
        """Remove locked addresses, their history and their log."""
        ...

    async def remember_erased(self, times: Mapping[Key, datetime]) -> None:
        """Keep a keyed hash of each of these addresses, and when it was erased."""
        ...

    async def erased_since(self, times: Sequence[tuple[str, str, datetime]]) -> set[int]:
        """Return the indexes of those (tenant, address, time) whose address was erased at that time or later."""
        ...

    async def schedule_erasures(self, erasures: Sequence[ScheduledErasure]) -> datetime:
        """Erase addresses when they are due, or sooner if that was scheduled before; return by when all are."""
        ...

    async def take_due_erasures(self, now: datetime, limit: int) -> list[ScheduledErasure]:
        """Lock the next erasures that are due, of those that no other process has."""
        ...

    async def unschedule_erasures(self, keys: Iterable[Key]) -> int:
        """Forget the scheduled erasures of these addresses, done or undone; return how many there were."""
        ...

    async def policies(self, tenants: Iterable[str]) -> dict[str, Policy]:
        """Return the policy of each tenant, which stays as it is until the unit of work ends."""
        ...

    async def policy(self, tenant: str) -> Policy:
        """Return the policy of a tenant as it is now."""
        ...

    async def storms(self, tenants: Iterable[str]) -> Mapping[str, Sequence[Storm]]:
        """Return the storms of each tenant that keep bounces from counting."""
        ...


OpenRepository: TypeAlias = Callable[[UnitOfWork], Repository]
"""Opens the repository of a unit of work."""
