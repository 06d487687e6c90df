"""The one place where a service puts the envelope round what it publishes: source, trace, time."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from returpost.contracts import Contract
from returpost.contracts.cloudevents import EncodedEvent, Event, encode_event, event
from returpost.contracts.trace_context import traceparent

D = TypeVar("D", bound=Contract)


def source_of(service: str) -> str:
    """Return what CloudEvents of a service name as their `source`."""
    return f"/returpost/{service}"


class NewEvent(Protocol):
    """Makes an event of one service."""

    def __call__(self, data: D, /, *, id: str, tenant: str, subject: str | None = None) -> Event[D]:
        """Return the event; `id` is derived from its cause (`returpost.contracts.ids`)."""
        ...


def event_factory(service: str) -> NewEvent:
    """Return what makes the events of a service: each belongs to the trace of the batch or request in hand."""
    source = source_of(service)

    def new_event(data: D, /, *, id: str, tenant: str, subject: str | None = None) -> Event[D]:
        return event(data, id=id, source=source, tenant=tenant, subject=subject, traceparent=traceparent())

    return new_event


def encoder(service: str) -> Callable[..., EncodedEvent]:
    """Return the same for events that are published by the thousand: they are encoded at once."""
    source = source_of(service)

    def new_encoded(data: Contract, /, *, id: str, tenant: str, subject: str | None = None) -> EncodedEvent:
        return encode_event(data, id=id, source=source, tenant=tenant, subject=subject, traceparent=traceparent())

    return new_encoded
