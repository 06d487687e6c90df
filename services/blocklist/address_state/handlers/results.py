"""What became of mailings: deliveries, complaints and bounces. The handlers of results and verdicts."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from asyncpg.pgproto import pgproto

from returpost.contracts import BounceClassified, DeliveryRecorded, SubscriptionConfirmed, ids
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import Fault, Reason, Result, UnblockCause, VerdictType
from services.blocklist.address_state.ports import OpenRepository, Repository
from services.blocklist.address_state.records import HistoryEntry, Key, Trigger
from services.blocklist.address_state.reevaluate import reevaluate
from services.blocklist.address_state.repository.postgres import PostgresRepository
from services.blocklist.storms.storm_window import StormWindow
from services.blocklist.tenant_settings.domain import may_block
from shared.messaging.unit_of_work import UnitOfWork

D = TypeVar("D", BounceClassified, DeliveryRecorded, SubscriptionConfirmed)

SAID = {Result.COMPLAINED: Reason.COMPLAINT, Result.UNSUBSCRIBED: Reason.UNSUBSCRIBE}
"""What the owner of an address says of a mailing, and what it is in the history."""
MAX_TEXT = 500
"""Characters of the text that decided a verdict which the history keeps."""


async def handle_results(
    events: Sequence[Event[DeliveryRecorded]],
    work: UnitOfWork,
    clock: Callable[[], datetime],
    storm_window: StormWindow | None = None,
    open_repository: OpenRepository = PostgresRepository.of,
) -> None:
    """Keep deliveries, which lift blocks by return count, and complaints and unsubscribes, which block."""
    repository = open_repository(work)
    delivered: dict[Key, datetime | None] = {}
    last: dict[Key, Event[DeliveryRecorded]] = {}
    said: list[HistoryEntry] = []
    for result in await drop_erased(repository, events):
        data = result.data
        address = (result.tenant, key(data.address))
        if data.result is Result.DELIVERED:
            if address not in last or last[address].data.time < data.time:
                delivered[address] = data.time
                last[address] = result
        elif (reason := SAID.get(data.result)) is not None:
            delivered.setdefault(address)
            said.append(_said(result, address, reason))
    reduced = await repository.lock_or_create(delivered)
    triggers = {address: _delivery_trigger(last[address]) for address in reduced}
    if said:
        await repository.add_history(said)
        triggers |= {entry.key: _entry_trigger(entry) for entry in said}
    if triggers:
        await reevaluate(work, repository, triggers, UnblockCause.DELIVERED, clock())
    if storm_window:
        storm_window.delivered((*address, one.data.sending_ip, one.data.time) for address, one in last.items())


async def handle_verdicts(
    events: Sequence[Event[BounceClassified]],
    work: UnitOfWork,
    clock: Callable[[], datetime],
    storm_window: StormWindow | None = None,
    open_repository: OpenRepository = PostgresRepository.of,
) -> None:
    """Keep the bounces that ended hard and the complaints, and block whom they block; no other verdict counts."""
    repository = open_repository(work)
    counting = [verdict for verdict in events if _counts(verdict.data)]
    entries = [_bounce(verdict) for verdict in await drop_erased(repository, counting)] if counting else []
    if not entries:
        return
    triggers = {entry.key: _entry_trigger(entry) for entry in entries}
    await repository.lock_or_create(dict.fromkeys(triggers))
    new = await repository.add_history(entries)
    await reevaluate(work, repository, triggers, UnblockCause.SETTINGS, clock())
    if storm_window:
        for entry in entries:
            if entry.id in new:
                storm_window.bounced(entry.tenant, entry.address, entry.reason, entry.ip, entry.time)


async def drop_erased(repository: Repository, events: Sequence[Event[D]]) -> Sequence[Event[D]]:
    """Return the events without those that happened before their address was erased."""
    times = [(event.tenant, key(event.data.address), event.data.time) for event in events]
    erased = await repository.erased_since(times)
    return [event for n, event in enumerate(events) if n not in erased] if erased else events


def _delivery_trigger(delivery: Event[DeliveryRecorded]) -> Trigger:
    return Trigger(delivery.id, delivery.data.time, subject=delivery.data.mailing)


def _entry_trigger(entry: HistoryEntry) -> Trigger:
    return Trigger(str(entry.id), entry.time, subject=entry.mailing)


def _counts(data: BounceClassified) -> bool:
    verdict = data.verdict
    return data.exhausted or verdict.type is VerdictType.HARD or verdict.reason is Reason.COMPLAINT


def _bounce(classified: Event[BounceClassified]) -> HistoryEntry:
    data, verdict = classified.data, classified.data.verdict
    return HistoryEntry(
        classified.tenant,
        key(data.address),
        _uuid(classified.id),
        data.time,
        may_block(verdict.type, verdict.reason, verdict.fault, dead_address=verdict.dead_address),
        data.mailing,
        verdict.reason,
        verdict.fault,
        verdict.rule,
        data.status,
        (verdict.text or data.diagnostic)[:MAX_TEXT],
        data.stream,
        data.sending_ip,
        verdict.confidence,
    )


def _said(recorded: Event[DeliveryRecorded], address: Key, reason: Reason) -> HistoryEntry:
    data = recorded.data
    return HistoryEntry(
        *address,
        _uuid(recorded.id),
        data.time,
        False,
        data.mailing,
        reason,
        Fault.NONE,
        "",
        None,
        "",
        data.stream,
        data.sending_ip,
    )


def _uuid(text: str) -> UUID:
    # asyncpg's own, which is one of Python's and read in a tenth of the time
    try:
        return pgproto.UUID(text)
    except ValueError:
        return pgproto.UUID(ids.derived(text, "history"))
