"""Evaluate addresses again of which something new is known: decide their state, write it, tell what changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from returpost.contracts.addresses import domain_of
from returpost.contracts.enums import UnblockCause
from services.blocklist.address_state.domain import AddressState, Block, evaluate
from services.blocklist.address_state.events import blocked_or_unblocked_event, log_entry
from services.blocklist.address_state.ports import Repository
from services.blocklist.address_state.records import Key, LogEntry, Trigger
from services.blocklist.storms.domain import without
from shared.messaging.unit_of_work import UnitOfWork

CHUNK = 5_000
"""Addresses that are held in memory at once."""


@dataclass(slots=True)
class Changes:
    """How many addresses became blocked, and how many free."""

    blocked: int = 0
    freed: int = 0


async def reevaluate(
    work: UnitOfWork, repository: Repository, triggers: Mapping[Key, Trigger], lift: UnblockCause, now: datetime
) -> Changes:
    """Decide the state of locked addresses; `lift` is why those are free that no longer are blocked."""
    changes = Changes()
    keys = sorted(triggers)
    policies = await repository.policies(tenant for tenant, _ in keys)
    storms = await repository.storms(policies)
    for start in range(0, len(keys), CHUNK):
        changed: list[tuple[Key, int, AddressState]] = []
        versions: dict[str, int] = {}
        logged: list[LogEntry] = []
        for key, record in (await repository.get(keys[start : start + CHUNK])).items():
            facts = without(record.facts, domain_of(key[1]), storms.get(key[0], ()))
            state = evaluate(facts, policies[key[0]], now)
            if state == record.state:
                continue
            version = record.version
            if is_news(record.state.block, state.block):
                tenant = key[0]
                if tenant not in versions:
                    versions[tenant] = await repository.next_version(tenant, now)
                version = versions[tenant]
                work.emit(blocked_or_unblocked_event(key, record, state, version, triggers[key], lift))
                logged.append(log_entry(key, record, state, version, triggers[key], lift, now))
                changes.blocked += record.state.block is None
                changes.freed += state.block is None
            changed.append((key, version, state))
        if changed:
            await repository.save(changed)
            await repository.add_log(logged)
    return changes


def is_news(before: Block | None, after: Block | None) -> bool:
    """Say whether others must hear of it: blocked or not, or by which causes, how long or for which streams."""
    if before is None or after is None:
        return before is not after
    return _told(before) != _told(after)


_told = attrgetter("cause", "reason", "until", "exempt_streams", "streams", "also")
