"""The trace that events made now belong to (W3C trace context, https://www.w3.org/TR/trace-context-1/)."""

from contextvars import ContextVar

current: ContextVar[str | None] = ContextVar("traceparent", default=None)
"""Set while a batch or a request is being worked on."""


def traceparent() -> str | None:
    """Return the trace that events made now belong to (W3C trace context), if any."""
    return current.get()
