"""From what came in to the events that the other services read. No I/O; the same input always makes the same events."""

from collections.abc import Iterator
from typing import NamedTuple

from returpost.bounces.events import simulator
from returpost.bounces.evidence import evidence_of
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
from returpost.contracts.cloudevents import Event, event

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


class Derived(NamedTuple):
    """An event that follows from a result: its id, which is the same for the same input, and its data.

    Whoever publishes it adds source, tenant and trace.
    """

    id: str
    data: DeliveryRecorded | BounceReceived


_new = tuple.__new__
"""Makes what has names in a third of the time: one is made of each event."""


def events_of(cause: Event[DeliveryResult]) -> Iterator[Derived]:
    """Yield what follows from a result that a sender handed in."""
    # Senders number their events as they like: only source and id together are unique (CloudEvents 1.0, `id`).
    return derive(ids.of_input(cause.tenant, cause.source, cause.id), cause.data)


def derive(
    identity: str, result: DeliveryResult, evidence: Evidence | None = None, *, is_result: bool = True
) -> Iterator[Derived]:
    """Yield `delivery.recorded`, and `bounce.received` with all evidence when the delivery failed.

    This is what follows from a result whichever way it came in. `evidence` is what more is known than the result tells;
    `is_result` is false for a report that says nothing of the delivery, such as an automatic reply. After a sending to
    an address of the simulator comes also what is simulated to have become of it.
    """
    if is_result:
        yield recorded(identity, result)
    if evidence is not None or result.result is Result.BOUNCED:
        yield received(identity, result, evidence or evidence_of(result))
    if result.result is Result.SENT:
        yield from _simulated(identity, result)


def _simulated(identity: str, result: DeliveryResult) -> Iterator[Derived]:
    for n, (simulated, kind) in enumerate(simulator.answers(result)):
        own = ids.derived(identity, "simulated", n)
        if kind is Kind.FAILURE:
            yield recorded(own, simulated)
        if simulated.result is Result.BOUNCED:
            yield received(own, simulated, evidence_of(simulated).model_copy(update={"kind": kind}))


def recorded(identity: str, result: DeliveryResult) -> Derived:
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
    return _new(Derived, (ids.derived(identity, data.TYPE), data))


def received(identity: str, result: DeliveryResult, evidence: Evidence) -> Derived:
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
    return _new(Derived, (ids.derived(identity, data.TYPE), data))
