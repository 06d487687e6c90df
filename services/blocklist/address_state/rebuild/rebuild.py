"""Builds the state of addresses anew out of the archive and of what no event tells, and compares it with the live one.

The live service goes on meanwhile. So what differs is looked at again, with what has come since: a difference is one
that is there twice.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from returpost.contracts import AddressErased, BounceClassified, Contract, DeliveryRecorded
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event, decode
from returpost.contracts.enums import UnblockCause
from returpost.contracts.routing import misrouted
from services.blocklist.address_state.handlers.results import handle_results, handle_verdicts
from services.blocklist.address_state.rebuild.repository import Difference, DifferenceCount, RebuildRepository
from services.blocklist.address_state.records import Key, Trigger
from services.blocklist.address_state.reevaluate import Changes, reevaluate
from services.blocklist.address_state.repository.postgres import PostgresRepository
from shared.database import erased_addresses
from shared.database.pool import Pool
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory

C = TypeVar("C", bound=Contract)
Clock = Callable[[], datetime]

BATCH: Final = 2_000
"""Events that are handled in one transaction."""
PAGE: Final = 5_000
"""Addresses that are evaluated, or taken over, in one transaction."""
ROUNDS: Final = 5
READ: Final[Mapping[str, type[Contract]]] = {
    "blocklist.delivery-recorded": DeliveryRecorded,
    "blocklist.bounce-classified": BounceClassified,
}
"""The queues whose events make the state, and what they are."""
ERASURES: Final = "address.erased."


@dataclass(frozen=True, slots=True)
class ArchivedBody:
    """A message of the archive, and the queue that takes it."""

    queue: str | None
    routing_key: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the state that was built anew and the live one differ."""

    at: datetime
    events: int
    addresses: int
    history: int
    """Rows that were compared."""
    differing: int
    """Addresses."""
    counts: list[DifferenceCount]
    sample: list[Difference]


@dataclass
class Rebuild:
    """One rebuild, into a schema that is there and empty."""

    pool: Pool
    """Of the new schema; its user reads the live one too."""
    live: str
    """Name of the live schema."""
    new: str
    """Name of the new one."""
    since: datetime
    """When the archive begins, and a margin for clocks: what is said to have happened later, an event of it tells."""
    clock: Clock
    events: int = 0
    _waiting: dict[type[Contract], list[Event[Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Prepare the queries."""
        self._repository = RebuildRepository(self.live, self.new)

    async def begin(self) -> None:
        """Prepare the schema."""
        async with self.pool.acquire() as connection, connection.transaction():
            await self._repository.prepare(connection)

    async def read(self, messages: AsyncIterator[ArchivedBody]) -> None:
        """Hand messages to the handlers of the service; what they would tell others stays here."""
        async for message in messages:
            if message.routing_key.startswith(ERASURES):
                await self._erase(_events(AddressErased, message))
            contract = READ.get(message.queue or "")
            if contract is None:
                continue
            waiting = self._waiting.setdefault(contract, [])
            waiting += _events(contract, message)
            if len(waiting) >= BATCH:
                await self._handle(contract)
        for contract in list(self._waiting):
            await self._handle(contract)

    async def compare(self, read_on: Callable[[], AsyncIterator[ArchivedBody]], sample: int) -> Comparison:
        """Compare; look again at what differs with what has come since, until nothing changes any more."""
        keys = await self._differing(None)
        for _ in range(ROUNDS):
            if not keys:
                break
            await self.read(read_on())
            before, keys = keys, await self._differing(keys)
            if keys == before:
                break
        repository = self._repository
        async with self.pool.acquire() as connection:
            addresses, history = await repository.counts(connection)
            return Comparison(
                at=self.clock(),
                events=self.events,
                addresses=addresses,
                history=history,
                differing=len(keys),
                counts=await repository.summary(connection),
                sample=await repository.sample(connection, sample),
            )

    async def take_over(
        self, uow_factory: UnitOfWorkFactory, found: Comparison, identity: UUID, by: str, why: str
    ) -> Changes:
        """Write what was built anew in the place of what differs, tell whom it blocks and frees, and log it.

        `uow_factory` is of the live schema. An address a transaction is a whole; no two depend on each other.
        """
        trigger = Trigger(str(identity), found.at, by, None, why)
        done = Changes()
        async with self.pool.acquire() as connection:
            keys = await self._repository.differing(connection)
        for start in range(0, len(keys), PAGE):
            page = keys[start : start + PAGE]
            async with uow_factory.begin() as work:
                states = PostgresRepository(work.connection)
                page = await _not_erased(states, page)
                await states.lock_or_create(dict.fromkeys(page))
                await self._repository.take(work.connection, page, found.at)
                made = await reevaluate(work, states, dict.fromkeys(page, trigger), UnblockCause.SETTINGS, self.clock())
            done.blocked += made.blocked
            done.freed += made.freed
        return done

    async def _differing(self, keys: Sequence[Key] | None) -> list[Key]:
        async with self.pool.acquire() as connection, connection.transaction():
            # After the archive: what that tells goes before what the live schema says of the same.
            await self._repository.copy(connection, self.since, keys)
            await self._repository.erase(connection)
        await self._evaluate(keys)
        async with self.pool.acquire() as connection, connection.transaction():
            return await self._repository.compare(connection, keys)

    async def _evaluate(self, keys: Sequence[Key] | None) -> None:
        """Decide the state of addresses with all that is known by now."""
        after: Key = ("", "")
        rest = None if keys is None else list(keys)
        while True:
            async with self.pool.acquire() as connection, connection.transaction():
                if rest is None:
                    page = await self._repository.next_addresses(connection, after, PAGE)
                else:
                    page, rest = rest[:PAGE], rest[PAGE:]
                if not page:
                    return
                trigger = Trigger("rebuild", self.clock())
                states = PostgresRepository(connection)
                triggers = dict.fromkeys(page, trigger)
                await reevaluate(UnitOfWork(connection), states, triggers, UnblockCause.SETTINGS, self.clock())
            after = page[-1]

    async def _handle(self, contract: type[Contract]) -> None:
        events = self._waiting.pop(contract, [])
        for start in range(0, len(events), BATCH):
            batch = events[start : start + BATCH]
            async with self.pool.acquire() as connection, connection.transaction():
                work = UnitOfWork(connection)  # what it would publish goes with it
                if contract is DeliveryRecorded:
                    await handle_results(batch, work, self.clock)
                else:
                    await handle_verdicts(batch, work, self.clock)
            self.events += len(batch)

    async def _erase(self, events: Sequence[Event[AddressErased]]) -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            times = [(event.tenant, key(event.data.address), event.data.time) for event in events]
            await erased_addresses.remember(connection, times)


async def _not_erased(states: PostgresRepository, keys: list[Key]) -> list[Key]:
    """Return the addresses without those that have been erased since the comparison: they shall not come back."""
    known = await states.lock_existing(keys)
    gone = [address for address in keys if address not in known]
    erased = await states.erased_since([(*address, _EVER) for address in gone])
    lost = {address for n, address in enumerate(gone) if n in erased}
    return [address for address in keys if address not in lost]


_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _events(contract: type[C], message: ArchivedBody) -> list[Event[C]]:
    """Return the events that the service would have applied: what is broken, or misrouted, is a dead letter."""
    events, _ = decode(contract, message.body)
    return [event for event in events if not misrouted(message.routing_key, event.type, event.tenant, _detail(event))]


def _detail(event: Event[Any]) -> str | None:
    name = type(event.data).DETAIL
    return None if name is None else getattr(event.data, name)
