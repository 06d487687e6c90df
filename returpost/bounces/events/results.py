"""From what came in to the events that the other services read. No I/O; the same input always makes the same events."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from returpost.bounces.events import simulator
from returpost.bounces.smtp_reply import codes_of
from returpost.contracts import (
    BounceReceived,
    DeliveryRecorded,
    DeliveryResult,
    Evidence,
    Kind,
    Result,
    construct_trusted,
    ids,
)
from returpost.contracts.cloudevents import EncodedEvent, Event, encode_event, event
from returpost.contracts.trace_context import traceparent
from returpost.errors import InvalidMessage

SOURCE = "/returpost/ingest"
_ADDED = ("stream", "sending_ip")
"""The last fields of a result. One without them is not known by them: it has the id that it had before they were."""


def of_input(result: DeliveryResult, *, tenant: str, id_: str | None, source: str) -> Event[DeliveryResult]:
    """Wrap a result that came without an envelope."""
    identity = id_of_input(result, tenant=tenant, id_=id_, source=source)
    return event(result, id=identity, source=source, tenant=tenant, subject=result.mailing)


def id_of_input(result: DeliveryResult, *, tenant: str, id_: str | None, source: str) -> str:
    """Return the id of a result that came without an envelope; without one of its own it gets one from its content."""
    if id_:
        return ids.of_input(tenant, source, id_)
    if result.stream is None is result.sending_ip:
        return ids.of_content(tenant, *[*result.__dict__.values()][: -len(_ADDED)])
    return ids.of_content(tenant, *[v for name, v in result.__dict__.items() if v is not None or name not in _ADDED])


def check_time(moment: datetime, now: datetime, tolerance: timedelta) -> None:
    """Raise `InvalidMessage` when the moment lies further in the future than a clock may be wrong."""
    if moment > now + tolerance:
        raise InvalidMessage(
            f"data.time: {moment.isoformat()} is in the future; check the sender's clock and time zone"
        )


def events_of(cause: Event[DeliveryResult]) -> Iterator[EncodedEvent]:
    """Yield `delivery.recorded`, and `bounce.received` with all evidence when the delivery failed.

    After a sending to a simulator address, also what is simulated to have become of it.
    """
    result = cause.data
    # Senders number their events as they like: only source and id together are unique (CloudEvents 1.0, `id`).
    identity = ids.of_input(cause.tenant, cause.source, cause.id)
    yield recorded(identity, cause.tenant, result)
    if result.result is Result.BOUNCED:
        yield received(identity, cause.tenant, result, evidence_of(result))
    for n, (simulated, kind) in enumerate(simulator.answers(result)):
        own = ids.derived(identity, "simulated", n)
        if kind is Kind.FAILURE:
            yield recorded(own, cause.tenant, simulated)
        if simulated.result is Result.BOUNCED:
            evidence = evidence_of(simulated).model_copy(update={"kind": kind})
            yield received(own, cause.tenant, simulated, evidence)


def recorded(identity: str, tenant: str, result: DeliveryResult) -> EncodedEvent:
    """Return the normalised result."""
    data = construct_trusted(
        DeliveryRecorded,
        mailing=result.mailing,
        address=result.address,
        result=result.result,
        time=result.time,
        sender=result.sender,
        contact=result.contact,
        stream=result.stream,
        sending_ip=result.sending_ip,
    )
    return _follow(identity, tenant, data)


def received(identity: str, tenant: str, result: DeliveryResult, evidence: Evidence) -> EncodedEvent:
    """Return the failed delivery with its evidence."""
    data = construct_trusted(
        BounceReceived,
        mailing=result.mailing,
        address=result.address,
        time=result.time,
        sender=result.sender,
        attempt=result.attempt,
        evidence=evidence,
        stream=result.stream,
        sending_ip=result.sending_ip,
        contact=result.contact,
    )
    return _follow(identity, tenant, data)


def evidence_of(result: DeliveryResult) -> Evidence:
    """Return what a sender's result tells; code and status are taken from the text when it names none."""
    code, status = result.reply_code, result.status
    if code is None or status is None:
        code_said, status_said = codes_of(result.diagnostic)
        code, status = code or code_said, status or status_said
    return construct_trusted(
        Evidence,
        kind=Kind.FAILURE,
        reply_code=code,
        status=status,
        diagnostic=result.diagnostic,
        remote_mta=result.remote_mta,
        reporting_mta=None,
        format="smtp",
        feedback_type=result.feedback_type,
        original_recipient=None,
        final_recipient=None,
        command=None,
        recipient_source=None,
    )


def _follow(identity: str, tenant: str, data: DeliveryRecorded | BounceReceived) -> EncodedEvent:
    return encode_event(
        data,
        id=ids.derived(identity, data.TYPE),
        source=SOURCE,
        tenant=tenant,
        subject=data.mailing,
        traceparent=traceparent(),
    )
