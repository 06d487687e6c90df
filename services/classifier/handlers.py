"""Handlers: bounces become verdicts, soft ones get retries; outcomes, blocks, erasures end them, pauses hold them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from returpost.bounces.rules import RuleRegistry
from returpost.bounces.verdict import classify
from returpost.contracts import (
    AddressBlocked,
    AddressErased,
    AddressUnblocked,
    BounceReceived,
    DeliveryRecorded,
    MailingPause,
    MailingResume,
    Verdict,
    VerdictType,
)
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event
from services.classifier.domain.retry import Exhausted, RetryPolicy, decide, recipient_key
from services.classifier.domain.unknown_text_fingerprints import UnknownText, unknown_text
from services.classifier.events import bounce_classified
from services.classifier.repository import pauses, retries, schedules, verdicts
from services.classifier.repository.retries import SoftBounce
from shared.messaging.unit_of_work import UnitOfWork

Classified = tuple[Event[BounceReceived], Verdict]


async def classify_bounces(
    events: Sequence[Event[BounceReceived]], work: UnitOfWork, rules: RuleRegistry, policy: RetryPolicy
) -> None:
    """Classify each bounce, record and publish the verdicts, and schedule retries of soft ones."""
    await retries.lock_out_erasures(work.connection)
    classified = [(bounce, classify(bounce.data.evidence, rules.of(bounce.tenant))) for bounce in events]
    texts = [unknown_text(bounce.data.evidence, verdict) for bounce, verdict in classified]
    await verdicts.record_verdicts(
        work.connection, [_verdict_row(*pair, text) for pair, text in zip(classified, texts, strict=True)]
    )
    unknown = {(b.tenant, text.fingerprint): text.text for (b, _), text in zip(classified, texts, strict=True) if text}
    await verdicts.record_unknown_texts(work.connection, unknown)
    hard = {_recipient(b): b.data.time for b, verdict in _by_time(classified) if verdict.type is VerdictType.HARD}
    if hard:
        await retries.record_outcomes(work.connection, hard, "failed")
    for bounce, verdict in classified:
        if verdict.type is not VerdictType.SOFT:
            work.emit(bounce_classified(bounce, verdict, attempt=0))
    soft = [pair for pair in classified if pair[1].type is VerdictType.SOFT]
    policies = await schedules.policies(work.connection, {bounce.tenant for bounce, _ in soft}, policy)
    for once in _rounds(soft):
        await _schedule_retries(once, work, policies)


async def record_deliveries(events: Sequence[Event[DeliveryRecorded]], work: UnitOfWork) -> None:
    """End the retries of recipients that were delivered to."""
    times: dict[bytes, datetime] = {}
    for delivery in events:
        data = delivery.data
        recipient = recipient_key(delivery.tenant, data.mailing, key(data.address))
        times[recipient] = max(data.time, times.get(recipient, data.time))
    await retries.record_outcomes(work.connection, times, "recovered")


async def apply_blocks(events: Sequence[Event[AddressBlocked] | Event[AddressUnblocked]], work: UnitOfWork) -> None:
    """Keep which addresses are blocked, and drop their pending retries."""
    states: dict[tuple[str, str], tuple[int, bool, datetime]] = {}
    for change in events:
        address = (change.tenant, key(change.data.address))
        state = (change.data.version, isinstance(change.data, AddressBlocked), change.data.time)
        states[address] = max(state, states.get(address, state))
    await retries.lock_out_erasures(work.connection)
    await retries.apply_blocks(work.connection, states)


async def erase_addresses(events: Sequence[Event[AddressErased]], work: UnitOfWork) -> None:
    """Delete everything about erased addresses."""
    times: dict[tuple[str, str], datetime] = {}
    for erasure in events:
        address = (erasure.tenant, key(erasure.data.address))
        times[address] = max(erasure.data.time, times.get(address, erasure.data.time))
    await retries.erase(work.connection, times)


async def apply_pauses(commands: Sequence[Event[MailingPause] | Event[MailingResume]], work: UnitOfWork) -> None:
    """Keep which mailings are paused; retries of those that are resumed go on. Of two commands the later one holds."""
    states: dict[tuple[str, str], tuple[datetime, bool]] = {}
    for command in commands:
        mailing = (command.tenant, command.data.mailing)
        state = (command.data.time, isinstance(command.data, MailingPause))
        states[mailing] = max(state, states.get(mailing, state))
    await pauses.apply(work.connection, states)


async def _schedule_retries(once: Sequence[Classified], work: UnitOfWork, policies: Mapping[str, RetryPolicy]) -> None:
    known = await retries.merge_soft_bounces(
        work.connection, [_soft_bounce(bounce, verdict) for bounce, verdict in once]
    )
    rows: list[tuple[bytes, bool, int, datetime | None]] = []
    for bounce, verdict in once:
        recipient = _recipient(bounce)
        if (history := known.get(recipient)) is None:  # erased since
            work.emit(bounce_classified(bounce, verdict, attempt=0))
            continue
        decision = decide(recipient, history.reason, history.times, policies[bounce.tenant])
        if isinstance(decision, Exhausted):
            rows.append((recipient, True, len(history.times), None))
        else:
            rows.append((recipient, False, decision.attempt, decision.due))
        work.emit(bounce_classified(bounce, verdict, attempt=len(history.times), decision=decision))
    if rows:
        await retries.schedule(work.connection, rows)


def _soft_bounce(bounce: Event[BounceReceived], verdict: Verdict) -> SoftBounce:
    data = bounce.data
    return SoftBounce(
        _recipient(bounce),
        bounce.tenant,
        data.mailing,
        key(data.address),
        data.address,
        data.sender,
        bounce.id,
        verdict.reason,
        data.time,
        data.contact,
    )


def _verdict_row(bounce: Event[BounceReceived], verdict: Verdict, text: UnknownText | None) -> tuple[object, ...]:
    return (
        bounce.id,
        bounce.tenant,
        bounce.data.mailing,
        verdict.type,
        verdict.reason,
        verdict.fault,
        verdict.rule,
        bounce.data.time,
        text and text.fingerprint,
    )


def _recipient(bounce: Event[BounceReceived]) -> bytes:
    return recipient_key(bounce.tenant, bounce.data.mailing, key(bounce.data.address))


def _by_time(classified: Sequence[Classified]) -> list[Classified]:
    return sorted(classified, key=lambda pair: pair[0].data.time)


def _rounds(classified: Sequence[Classified]) -> Iterator[list[Classified]]:
    """Yield the bounces so that no recipient is twice in a round: an upsert may touch a row only once."""
    rest = list(classified)
    while rest:
        seen: set[bytes] = set()
        now: list[Classified] = []
        later: list[Classified] = []
        for pair in rest:
            recipient = _recipient(pair[0])
            (later if recipient in seen else now).append(pair)
            seen.add(recipient)
        yield now
        rest = later
