"""Look again at addresses of which something new is known: decide their standing, write it, tell what changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from returpost.contracts import AddressBlocked, AddressUnblocked, construct_trusted, ids
from returpost.contracts.addresses import domain_of
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.enums import BlockCause, UnblockCause
from returpost.contracts.trace_context import traceparent
from services.blocklist.address_state import block_log, repository
from services.blocklist.address_state.block_log import Logged
from services.blocklist.address_state.domain import Block, Standing, stand
from services.blocklist.address_state.repository import Key, Known
from services.blocklist.storms import repository as storm_repository
from services.blocklist.storms.domain import without
from services.blocklist.tenant_settings import repository as policy_repository
from shared.messaging.unit_of_work import UnitOfWork

N = TypeVar("N", AddressBlocked, AddressUnblocked)

SOURCE = "/returpost/blocklist"
CHUNK = 5_000
"""Addresses that are held in memory at once."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """What made us look again."""

    id: str
    """Of the event or command."""
    time: datetime
    by: str = "blocklist"
    subject: str | None = None
    note: str = ""


@dataclass(slots=True)
class Moved:
    """How many addresses became blocked, and how many free."""

    blocked: int = 0
    freed: int = 0


async def reassess(work: UnitOfWork, triggers: Mapping[Key, Trigger], lift: UnblockCause, now: datetime) -> Moved:
    """Decide the standing of addresses that are in hand; `lift` is why those are free that no longer are blocked."""
    moved = Moved()
    keys = sorted(triggers)
    rules = await policy_repository.of_tenants(work.connection, (tenant for tenant, _ in keys))
    storms = await storm_repository.of_tenants(work.connection, rules)
    for start in range(0, len(keys), CHUNK):
        changed: list[tuple[Key, int, Standing]] = []
        logged: list[Logged] = []
        for key, known in (await repository.known(work.connection, keys[start : start + CHUNK])).items():
            facts = without(known.facts, domain_of(key[1]), storms.get(key[0], ()))
            standing = stand(facts, rules[key[0]], now)
            if standing == known.standing:
                continue
            version = known.version
            if is_news(known.standing.block, standing.block):
                version = next_version(version, now)
                work.emit(_news(key, known, standing, version, triggers[key], lift))
                logged.append(_logged(key, known, standing, version, triggers[key], lift, now))
                moved.blocked += known.standing.block is None
                moved.freed += standing.block is None
            changed.append((key, version, standing))
        if changed:
            await repository.write(work.connection, changed)
            await block_log.log(work.connection, logged)
    return moved


def is_news(before: Block | None, after: Block | None) -> bool:
    """Say whether others must hear of it: blocked or not, or why, how long or for which streams."""
    if before is None or after is None:
        return before is not after
    return (before.cause, before.reason, before.until, before.spares) != (
        after.cause,
        after.reason,
        after.until,
        after.spares,
    )


def next_version(last: int, now: datetime) -> int:
    """Return a version above the last one.

    Microseconds since 1970, so that it rises also across an erase and a rebuilt database, which forget the last one.
    """
    return max(last + 1, int(now.timestamp() * 1_000_000))


def unblocked(key: Key, version: int, trigger: Trigger, cause: UnblockCause) -> Event[AddressUnblocked]:
    """Return the event that tells that a block is lifted."""
    data = construct_trusted(
        AddressUnblocked,
        address=key[1],
        version=version,
        cause=cause,
        time=trigger.time,
        by=trigger.by,
        note=trigger.note,
    )
    return _event(data, key, version, trigger, trigger.subject)


def _news(
    key: Key, known: Known, standing: Standing, version: int, trigger: Trigger, lift: UnblockCause
) -> Event[AddressBlocked] | Event[AddressUnblocked]:
    if standing.block is None:
        return unblocked(key, version, trigger, lift)
    block, by_hand = standing.block, standing.block.cause is BlockCause.MANUAL
    data = AddressBlocked.model_construct(
        address=key[1],
        version=version,
        cause=block.cause,
        reason=block.reason,
        return_count=standing.return_count,
        mailing=block.mailing,
        time=block.since,
        by=(known.manual_by or "") if by_hand else SOURCE,
        note=(known.manual_note or "") if by_hand else "",
        until=block.until,
        spares=list(block.spares),
    )
    return _event(data, key, version, trigger, block.mailing or trigger.subject)


def _logged(
    key: Key, known: Known, standing: Standing, version: int, trigger: Trigger, lift: UnblockCause, now: datetime
) -> Logged:
    block = standing.block
    if block is None:
        return Logged(*key, version, now, False, lift, None, trigger.subject, None, trigger.by, trigger.note)
    by_hand = block.cause is BlockCause.MANUAL
    by, note = (known.manual_by or "", known.manual_note or "") if by_hand else (trigger.by, trigger.note)
    return Logged(
        *key, version, now, True, block.cause, block.reason, block.mailing or trigger.subject, block.until, by, note
    )


def _event(data: N, key: Key, version: int, trigger: Trigger, subject: str | None) -> Event[N]:
    # One command concerns many addresses, and one cause an address more than once, by settings that go to and fro.
    identity = ids.derived(trigger.id, f"{data.TYPE} {key[1]}", version)
    return event(data, id=identity, source=SOURCE, tenant=key[0], subject=subject, traceparent=traceparent())
