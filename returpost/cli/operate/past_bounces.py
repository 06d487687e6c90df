"""Bounces of the past, from wherever they are kept: mails, lines, events in files, and the archive."""

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from returpost.cli.query.classify import of_lines, of_mail, paths, read
from returpost.errors import InvalidSettings, Unavailable

if TYPE_CHECKING:
    from returpost.contracts import Evidence

RECEIVED = "returpost.bounce.received."
"""How the type of an event with evidence begins."""


def of_files(names: list[str], *, lines: bool) -> Iterator[tuple[str, "Evidence"]]:
    """Yield what the files say: mails, lines, or events `bounce.received`, one or a batch a line.

    Raises `InvalidSettings` for a file that cannot be read.
    """
    for name in paths(names):
        try:
            body = read(name)
        except OSError as error:
            raise InvalidSettings(f"{name}: {error.strerror or error}") from None
        if name.endswith(".jsonl"):
            yield from ((name, evidence) for evidence in _of_events(name, body))
        else:
            told = of_lines(body) if lines else of_mail(body)
            yield from ((name, one.evidence) for one in told if one.evidence)


def of_archive(amqp_url: str, since: datetime, tenant: str | None) -> list[tuple[str, "Evidence"]]:
    """Return the evidence of the archived bounces since a time, of one tenant or all; named by the event's id.

    The archive keeps its messages: nothing is taken from it. Raises `Unavailable` when the broker does not answer.
    """
    return asyncio.run(_read_archive(amqp_url, since, tenant))


async def _read_archive(amqp_url: str, since: datetime, tenant: str | None) -> list[tuple[str, "Evidence"]]:
    from returpost.amqp import archive
    from returpost.amqp.connections import CONNECTION_ERRORS, open_connection

    found: list[tuple[str, Evidence]] = []
    try:
        async with open_connection(amqp_url) as connection:
            async for message in archive.read(connection, since=since, offset=None):
                asked = (event for event in message.events if _is_asked(event, since, tenant))
                found.extend((str(event.get("id")), _evidence_of(event)) for event in asked)
    except CONNECTION_ERRORS as error:
        raise Unavailable(f"the broker does not answer: {type(error).__name__}") from None
    return found


def _is_asked(event: dict[str, Any], since: datetime, tenant: str | None) -> bool:
    if not str(event.get("type", "")).startswith(RECEIVED) or tenant not in (None, event.get("tenant")):
        return False
    return datetime.fromisoformat(str(event["time"])) >= since


def _of_events(name: str, body: bytes) -> Iterator["Evidence"]:
    from pydantic import ValidationError

    for number, line in enumerate(body.decode("utf-8", "replace").splitlines(), 1):
        try:
            told = json.loads(line) if line.strip() else []
            yield from map(_evidence_of, told if isinstance(told, list) else [told])
        except (ValueError, AttributeError, ValidationError):
            raise InvalidSettings(f"{name}: line {number} is no event of a bounce") from None


def _evidence_of(event: dict[str, Any]) -> "Evidence":
    from returpost.contracts import Evidence

    data = event.get("data", event)
    return Evidence.model_validate(data.get("evidence", data))
