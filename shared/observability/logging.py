"""Logs as JSON. No address is ever written above debug."""

import contextlib
import logging
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog

from returpost.contracts.addresses import hide_addresses

MAX_FRAMES = 30
"""Innermost frames of a stack that a log line has."""


def configure_logging(service: str, level: str = "INFO", *, console: bool = False) -> None:
    """Log JSON lines (or, for a person at a terminal, text) to standard error, other libraries' records included."""
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _stack_without_values,
        _without_addresses,
    ]
    structlog.configure(
        processors=[*processors, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Any = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    handler = _Handler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=processors,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for chatty in ("aio_pika", "aiormq", "uvicorn.access", "httpx"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    structlog.contextvars.bind_contextvars(service=service)


class _Handler(logging.StreamHandler[TextIO]):
    """Says of a record that cannot be written who wrote it; Python's own says what, addresses included."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - Python's name
        """Say so."""
        kind = type(sys.exc_info()[1]).__name__
        with contextlib.suppress(OSError, ValueError):  # nobody can be told when the stream itself is closed
            self.stream.write(f'{{"event": "a log record could not be written", "logger": "{record.name}", '
                              f'"error": "{kind}", "level": "error"}}\n')  # fmt: skip


def _without_addresses(_: Any, __: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide addresses in all that is written above DEBUG, whoever wrote it."""
    if record.get("level") != "debug":
        for name, value in record.items():
            if not name.startswith("_"):
                record[name] = _hidden(value)
    return record


def _hidden(value: Any) -> Any:
    if isinstance(value, str):
        return hide_addresses(value)
    if isinstance(value, Mapping):
        return {_hidden(name): _hidden(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_hidden(one) for one in value]
    return value if isinstance(value, int | float | None) else hide_addresses(str(value))


def _stack_without_values(_: Any, __: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say of an exception its kind and where it came from; what it says may hold an address."""
    given = record.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else given[1] if isinstance(given, tuple) else sys.exc_info()[1]
    if given and error is not None:
        frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
        record["error"] = type(error).__name__
        record["frames"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return record
