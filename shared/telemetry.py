"""Logs as JSON, traces when an exporter is configured. No address is ever written above debug."""

import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

from shared.cloudevents import Event

MAX_FRAMES = 30
"""Innermost frames of a stack that a log line has."""
MAX_LINKS = 32
"""Traces of one batch that its span is linked to."""
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")

_traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)


def configure_logging(service: str, level: str = "INFO", *, console: bool = False) -> None:
    """Log JSON lines (or, for a person at a terminal, text) to standard error, other libraries' records included."""
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _stack_without_values,
    ]
    structlog.configure(
        processors=[*processors, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Any = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=processors,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for chatty in ("aio_pika", "aiormq", "uvicorn.access", "httpx", "faststream"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    structlog.contextvars.bind_contextvars(service=service)


def _stack_without_values(_: Any, __: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say of an exception its kind and where it came from; what it says may hold an address."""
    given = record.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else given[1] if isinstance(given, tuple) else sys.exc_info()[1]
    if given and error is not None:
        frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
        record["error"] = type(error).__name__
        record["stack"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return record


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
        token = _traceparent.set(own if context.is_valid else parents[0] if parents else None)
        try:
            yield
        finally:
            _traceparent.reset(token)


def traceparent() -> str | None:
    """Return the trace that events made now belong to (W3C trace context), if any."""
    return _traceparent.get()
