"""Mailings, results, verdicts and block states: merged so that order and repeats do not matter. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from returpost.contracts import (
    AddressBlocked,
    AddressUnblocked,
    BounceClassified,
    DeliveryRecorded,
    MailingUpsert,
    Result,
    VerdictType,
)
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event
from shared.erased_addresses import AddressKey, ErasedAt, is_erased

MailingKey = tuple[str, str]
"""Tenant and mailing."""
RecipientKey = tuple[str, str, str]
"""Tenant, mailing and the key of the address."""

RESULTS = (
    Result.SENT,
    Result.DELIVERED,
    Result.DEFERRED,
    Result.BOUNCED,
    Result.OPENED,
    Result.COMPLAINED,
    Result.UNSUBSCRIBED,
)
"""The kinds of result that have a time of their own."""
_COLUMNS = {result.value: column for column, result in enumerate(RESULTS)}


@dataclass(frozen=True, slots=True)
class Mailing:
    """A mailing, with the time at which each field was last set."""

    name: str | None = None
    name_at: datetime | None = None
    subject: str | None = None
    subject_at: datetime | None = None
    sent_at: datetime | None = None
    """When it was sent or will be."""
    sent_told_at: datetime | None = None
    version: int = 0


def merge(mailing: Mailing, upsert: MailingUpsert) -> Mailing:
    """Return the mailing with the values of the upsert that are newer; of the same time the greater value wins."""
    new: dict[str, Any] = {}
    for name, at in (("name", "name_at"), ("subject", "subject_at"), ("sent_at", "sent_told_at")):
        value, old, old_time = getattr(upsert, name), getattr(mailing, name), getattr(mailing, at)
        if value is not None and (old_time is None or (upsert.time, value) > (old_time, old)):
            new |= {name: value, at: upsert.time}
    merged = replace(mailing, **new)
    return merged if _visible(merged) == _visible(mailing) else replace(merged, version=mailing.version + 1)


def _visible(mailing: Mailing) -> tuple[object, ...]:
    return mailing.name, mailing.subject, mailing.sent_at


@dataclass(slots=True)
class LatestResults:
    """What a batch of results says."""

    times: dict[RecipientKey, list[datetime | None]] = field(default_factory=dict)
    """The latest time of each kind of result, in the order of `RESULTS`."""
    seen: dict[MailingKey, tuple[datetime, datetime]] = field(default_factory=dict)
    """First and last time of each mailing."""
    senders: dict[MailingKey, str] = field(default_factory=dict)


def latest_results(events: Sequence[Event[DeliveryRecorded]], erased: ErasedAt) -> LatestResults:
    """Return what a batch of results says, without what is older than the erasure of its address."""
    latest = LatestResults()
    times, seen, senders = latest.times, latest.seen, latest.senders
    for event in events:
        data = event.data
        place = (event.tenant, data.mailing, key(data.address))
        senders[place[:2]] = data.sender
        if erased and is_erased(erased, place[0], place[2], data.time):
            continue
        known = times.get(place)
        if known is None:
            known = times[place] = [None] * len(RESULTS)
        column = _COLUMNS[data.result.value]
        known[column] = max(data.time, known[column] or data.time)
        first, last = seen.get(place[:2], (data.time, data.time))
        if not first < data.time < last:
            seen[place[:2]] = (min(first, data.time), max(last, data.time))
    return latest


class RecipientVerdict(NamedTuple):
    """Why a recipient was returned."""

    time: datetime
    hard: bool
    reason: str
    exhausted: bool
    reply_code: int | None
    enhanced_status: str | None
    diagnostic: str
    written: str
    """The address as it was mailed."""
    rule: str

    def rank(self) -> tuple[Any, ...]:
        """Return what verdicts of one recipient are ordered by, as the statement `merge_verdicts` does."""
        return (*self[:4], self.reply_code or 0, self.enhanced_status or "", *self[6:])


def latest_verdicts(
    events: Sequence[Event[BounceClassified]], erased: ErasedAt
) -> dict[RecipientKey, RecipientVerdict]:
    """Return the latest verdict of each recipient that was returned."""
    verdicts: dict[RecipientKey, RecipientVerdict] = {}
    for event in events:
        data, judged = event.data, event.data.verdict
        place = (event.tenant, data.mailing, key(data.address))
        if judged.type is VerdictType.NONE or (erased and is_erased(erased, place[0], place[2], data.time)):
            continue
        known = verdicts.get(place)
        if known is not None and known.time > data.time:
            continue
        hard = judged.type is VerdictType.HARD or data.exhausted
        verdict = RecipientVerdict(
            data.time, hard, judged.reason.value, data.exhausted,
            data.reply_code, data.status, data.diagnostic, data.address, judged.rule,
        )  # fmt: skip
        if known is None or known.time < verdict.time or known.rank() < verdict.rank():
            verdicts[place] = verdict
    return verdicts


class BlockState(NamedTuple):
    """Whether an address is blocked, by the newest event."""

    version: int
    blocked: bool
    cause: str
    reason: str | None
    return_count: int
    since: datetime
    mailing: str | None


class BlockEvent(NamedTuple):
    """One block or lift in the history of an address."""

    time: datetime
    blocked: bool
    cause: str
    reason: str | None
    mailing: str | None
    by: str
    note: str


@dataclass(slots=True)
class BlockChanges:
    """What a batch of blocks and lifts says."""

    states: dict[AddressKey, BlockState] = field(default_factory=dict)
    history: dict[tuple[str, str, int], BlockEvent] = field(default_factory=dict)
    """By tenant, address and version."""

    def days(self) -> set[tuple[str, str]]:
        """Return the tenants and days (UTC, ISO 8601) of the blocks and lifts."""
        return {(key[0], one.time.astimezone(UTC).date().isoformat()) for key, one in self.history.items()}


def block_changes(events: Sequence[Event[AddressBlocked] | Event[AddressUnblocked]], erased: ErasedAt) -> BlockChanges:
    """Return the newest state of each address, and what belongs into its history."""
    changes = BlockChanges()
    for event in events:
        data = event.data
        place = (event.tenant, key(data.address))
        if erased and is_erased(erased, *place, data.time):
            continue
        blocked, reason, mailing, count = False, None, None, 0
        if isinstance(data, AddressBlocked):
            blocked, reason, mailing, count = True, data.reason, data.mailing, data.return_count
        changes.history[*place, data.version] = BlockEvent(
            data.time, blocked, data.cause, reason, mailing, data.by, data.note
        )
        known = changes.states.get(place)
        if known is None or known.version < data.version:
            changes.states[place] = BlockState(data.version, blocked, data.cause, reason, count, data.time, mailing)
    return changes


def named_recipients(events: Iterable[Event[MailingUpsert]]) -> dict[RecipientKey, datetime]:
    """Return the recipients that upserts name, each with the last time."""
    newest: dict[RecipientKey, datetime] = {}
    for event in events:
        for address in event.data.recipients:
            place = (event.tenant, event.data.mailing, key(address))
            newest[place] = max(event.data.time, newest.get(place, event.data.time))
    return newest


def seen_mailings(events: Iterable[Event[MailingUpsert]]) -> dict[MailingKey, tuple[datetime, datetime]]:
    """Return the first and last time of each mailing that upserts name."""
    seen: dict[MailingKey, tuple[datetime, datetime]] = {}
    for event in events:
        place, time = (event.tenant, event.data.mailing), event.data.time
        first, last = seen.get(place, (time, time))
        seen[place] = (min(first, time), max(last, time))
    return seen


def merge_all(
    before: Mapping[MailingKey, Mailing], events: Iterable[Event[MailingUpsert]]
) -> dict[MailingKey, Mailing]:
    """Return the mailings after the upserts."""
    after = dict(before)
    for event in events:
        place = (event.tenant, event.data.mailing)
        after[place] = merge(after[place], event.data)
    return after
