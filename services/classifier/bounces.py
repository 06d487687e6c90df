"""Bounces in, verdicts out; soft ones get their next attempt or are given up. The handlers of the classifier."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from returpost.bounces.rules import RuleRegistry
from returpost.bounces.verdict import classify
from returpost.contracts import (
    AddressBlocked,
    AddressErased,
    AddressUnblocked,
    BounceClassified,
    BounceReceived,
    DeliveryRecorded,
    Verdict,
    VerdictType,
    construct_trusted,
    ids,
)
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.trace_context import traceparent
from services.classifier import store, templates, tenant_schedules
from services.classifier.retry import Exhausted, Policy, Retry, decide, recipient_key
from services.classifier.store import SoftBounce
from services.classifier.templates import Template
from shared.messaging.unit_of_work import UnitOfWork

SOURCE = "/returpost/classifier"

Judged = tuple[Event[BounceReceived], Verdict]


async def take_bounces(
    events: Sequence[Event[BounceReceived]], work: UnitOfWork, rules: RuleRegistry, policy: Policy
) -> None:
    """Judge each bounce, count and schedule the soft ones, and tell the verdicts."""
    judged = [(bounce, classify(bounce.data.evidence, rules.of(bounce.tenant))) for bounce in events]
    unknown = [templates.unknown(bounce.data.evidence, verdict) for bounce, verdict in judged]
    rows = [_verdict_row(*pair, template) for pair, template in zip(judged, unknown, strict=True)]
    await store.record_verdicts(work.connection, rows)
    texts = {(b.tenant, found.key): found.text for (b, _), found in zip(judged, unknown, strict=True) if found}
    await store.record_templates(work.connection, texts)
    hard = {_recipient(b): b.data.time for b, verdict in _latest(judged) if verdict.type is VerdictType.HARD}
    if hard:
        await store.settle(work.connection, hard, "failed")
    for bounce, verdict in judged:
        if verdict.type is not VerdictType.SOFT:
            work.emit(_classified(bounce, verdict, attempt=0))
    soft = [pair for pair in judged if pair[1].type is VerdictType.SOFT]
    policies = await tenant_schedules.policies(work.connection, {bounce.tenant for bounce, _ in soft}, policy)
    for once in _rounds(soft):
        await _take_soft(once, work, policies)


async def take_deliveries(events: Sequence[Event[DeliveryRecorded]], work: UnitOfWork) -> None:
    """End the retries of what has been delivered."""
    times: dict[bytes, datetime] = {}
    for delivery in events:
        data = delivery.data
        recipient = recipient_key(delivery.tenant, data.mailing, key(data.address))
        times[recipient] = max(data.time, times.get(recipient, data.time))
    await store.settle(work.connection, times, "healed")


async def take_blocks(events: Sequence[Event[AddressBlocked] | Event[AddressUnblocked]], work: UnitOfWork) -> None:
    """Keep who is blocked: the pending retries of those are dropped."""
    states: dict[tuple[str, str], tuple[int, bool, datetime]] = {}
    for change in events:
        place = (change.tenant, key(change.data.address))
        state = (change.data.version, isinstance(change.data, AddressBlocked), change.data.time)
        states[place] = max(state, states.get(place, state))
    await store.apply_blocks(work.connection, states)


async def take_erasures(events: Sequence[Event[AddressErased]], work: UnitOfWork) -> None:
    """Forget erased addresses."""
    times: dict[tuple[str, str], datetime] = {}
    for erasure in events:
        place = (erasure.tenant, key(erasure.data.address))
        times[place] = max(erasure.data.time, times.get(place, erasure.data.time))
    await store.erase(work.connection, times)


async def _take_soft(once: Sequence[Judged], work: UnitOfWork, policies: Mapping[str, Policy]) -> None:
    known = await store.merge_soft_bounces(work.connection, [_soft(bounce, verdict) for bounce, verdict in once])
    rows: list[tuple[bytes, bool, int, datetime | None]] = []
    for bounce, verdict in once:
        recipient = _recipient(bounce)
        if (state := known.get(recipient)) is None:  # erased since
            work.emit(_classified(bounce, verdict, attempt=0))
            continue
        decision = decide(recipient, state.reason, state.times, policies[bounce.tenant])
        if isinstance(decision, Exhausted):
            rows.append((recipient, True, len(state.times), None))
        else:
            rows.append((recipient, False, decision.attempt, decision.due))
        work.emit(_classified(bounce, verdict, attempt=len(state.times), decision=decision))
    if rows:
        await store.schedule(work.connection, rows)


def _classified(
    bounce: Event[BounceReceived], verdict: Verdict, *, attempt: int, decision: Retry | Exhausted | None = None
) -> Event[BounceClassified]:
    data, evidence = bounce.data, bounce.data.evidence
    classified = construct_trusted(
        BounceClassified,
        mailing=data.mailing,
        address=data.address,
        time=decision.time if isinstance(decision, Exhausted) else data.time,
        sender=data.sender,
        verdict=verdict,
        attempt=attempt,
        exhausted=isinstance(decision, Exhausted),
        retry_at=decision.due if isinstance(decision, Retry) else None,
        reply_code=evidence.reply_code,
        status=evidence.status,
        diagnostic=evidence.diagnostic,
        remote_mta=evidence.remote_mta,
        original_recipient=evidence.original_recipient,
        stream=data.stream,
        sending_ip=data.sending_ip,
    )
    return event(
        classified,
        id=ids.derived(bounce.id, BounceClassified.TYPE),
        source=SOURCE,
        tenant=bounce.tenant,
        subject=data.mailing,
        traceparent=traceparent(),
    )


def _soft(bounce: Event[BounceReceived], verdict: Verdict) -> SoftBounce:
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


def _verdict_row(bounce: Event[BounceReceived], verdict: Verdict, template: Template | None) -> tuple[object, ...]:
    return (
        bounce.id,
        bounce.tenant,
        bounce.data.mailing,
        verdict.type,
        verdict.reason,
        verdict.fault,
        verdict.rule,
        bounce.data.time,
        template and template.key,
    )


def _recipient(bounce: Event[BounceReceived]) -> bytes:
    return recipient_key(bounce.tenant, bounce.data.mailing, key(bounce.data.address))


def _latest(judged: Sequence[Judged]) -> list[Judged]:
    return sorted(judged, key=lambda pair: pair[0].data.time)


def _rounds(judged: Sequence[Judged]) -> Iterator[list[Judged]]:
    """Yield the bounces so that no recipient is twice in a round: an upsert takes a row once."""
    rest = list(judged)
    while rest:
        seen: set[bytes] = set()
        now: list[Judged] = []
        later: list[Judged] = []
        for pair in rest:
            recipient = _recipient(pair[0])
            (later if recipient in seen else now).append(pair)
            seen.add(recipient)
        yield now
        rest = later
