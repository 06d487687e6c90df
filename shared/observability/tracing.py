"""Traces (OpenTelemetry), exported when an endpoint is configured."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

from returpost.contracts.cloudevents import Event
from returpost.contracts.trace_context import current

MAX_FRAMES = 30
"""Innermost frames of a stack that a log line has."""
MAX_LINKS = 32
"""Traces of one batch that its span is linked to."""
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")


def configure_tracing(service: str, endpoint: str | None, sample: float) -> None:
    """Export spans by OTLP over HTTP when an endpoint is given; a sampled parent is always followed.

    https://opentelemetry.io/docs/specs/otel/protocol/exporter/
    """
    if not endpoint:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    provider = TracerProvider(
        resource=Resource.create({"service.name": f"returpost-{service}"}), sampler=ParentBasedTraceIdRatio(sample)
    )
    os.environ.setdefault("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


@contextmanager
def span_of_batch(queue: str, events: Sequence[Event[Any]]) -> Iterator[None]:
    """Trace a batch as one span that follows the first event which brought a trace, and is linked to the others'.

    What is emitted inside carries the trace on, also when this process exports nothing.
    """
    parents = list(dict.fromkeys(event.traceparent for event in events if event.traceparent))[:MAX_LINKS]
    attributes = {"messaging.system": "rabbitmq", "messaging.batch.message_count": len(events)}
    with _span(f"{queue} process", parents, trace.SpanKind.CONSUMER, attributes):
        yield


@contextmanager
def span_of_request(path: str, parent: str) -> Iterator[None]:
    """Trace a request as one span that follows the caller's; a `traceparent` that is none is left out."""
    parents = [parent] if _TRACEPARENT.match(parent) else []
    with _span(path, parents, trace.SpanKind.SERVER, {"url.path": path}):
        yield


@contextmanager
def _span(name: str, parents: Sequence[str], kind: trace.SpanKind, attributes: dict[str, Any]) -> Iterator[None]:
    if not parents and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        yield
        return
    contexts = [extract({"traceparent": parent}) for parent in parents]
    links = [trace.Link(trace.get_current_span(context).get_span_context()) for context in contexts[1:]]
    with trace.get_tracer("returpost").start_as_current_span(
        name, context=contexts[0] if contexts else None, kind=kind, links=links, attributes=attributes
    ) as span:
        context = span.get_span_context()
        own = f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
        token = current.set(own if context.is_valid else parents[0] if parents else None)
        try:
            yield
        finally:
            current.reset(token)
