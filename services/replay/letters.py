"""Dead letters: what is read from a message that nobody could process. Nothing in it is taken to follow a contract."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from aio_pika.abc import AbstractIncomingMessage

from returpost.contracts import Contract, Diagnostic, Text, Time
from returpost.contracts.cloudevents import Event
from shared.database.queries import queries
from shared.messaging.dead_letters import PREFIX, fingerprint
from shared.messaging.unit_of_work import UnitOfWork

Q = queries(Path(__file__).with_name("queries.sql"))

MAX_TEXT = 8_000
MAX_NAME = 255
"""AMQP 0-9-1: names are short strings."""
MAX_FINGERPRINT = 64
"""Ours have 16; what others put there must fit into an index."""


class DeadLetter(Contract):
    """A message that a service could not process."""

    TYPE: ClassVar[str] = "returpost.dead-letter.received.v1"

    failed_at: Time
    queue: Text
    exchange: Text
    routing_key: Text
    attempt: int
    error: Diagnostic
    stack: Text
    fingerprint: Text
    content_type: Text
    body: bytes


def read(message: AbstractIncomingMessage) -> Event[DeadLetter]:
    """Make an event of any message: of our consumers' (`x-returpost-...`), or of the broker's own (`x-death`)."""
    headers = message.headers
    letter = _ours(message, headers) if f"{PREFIX}error" in headers else _brokers(message, headers)
    return Event[DeadLetter].model_construct(
        specversion="1.0", id=str(identity(letter)), type=DeadLetter.TYPE, tenant="", source="", data=letter
    )


def identity(letter: DeadLetter) -> UUID:
    """Id of a letter from what it says: a redelivery is the same letter, a second failure another."""
    digest = hashlib.sha256(letter.body)
    digest.update(f"\x1f{letter.queue}\x1f{letter.attempt}\x1f{letter.failed_at.isoformat()}".encode())
    return UUID(bytes=digest.digest()[:16])


async def take_letters(events: Sequence[Event[DeadLetter]], work: UnitOfWork) -> None:
    """Keep the letters."""
    rows = {
        UUID(event.id): (
            event.data.failed_at, event.data.queue, event.data.exchange, event.data.routing_key, event.data.attempt,
            event.data.error, event.data.stack, event.data.fingerprint, event.data.content_type, event.data.body,
        )
        for event in events
    }  # fmt: skip
    arrays = [list(column) for column in zip(*rows.values(), strict=True)]
    await work.connection.execute(Q["keep_letters"], list(rows), *arrays)


def _ours(message: AbstractIncomingMessage, headers: Mapping[str, Any]) -> DeadLetter:
    return _letter(
        message,
        failed_at=_time(_text(headers.get(f"{PREFIX}time"))),
        queue=_text(headers.get(f"{PREFIX}queue"))[:MAX_NAME],
        exchange=_text(headers.get(f"{PREFIX}exchange")),
        routing_key=_text(headers.get(f"{PREFIX}routing-key")),
        attempt=_number(headers.get(f"{PREFIX}attempt")),
        error=_text(headers.get(f"{PREFIX}error")),
        stack=_text(headers.get(f"{PREFIX}stack")),
        print_=_text(headers.get(f"{PREFIX}fingerprint")),
    )


def _brokers(message: AbstractIncomingMessage, headers: Mapping[str, Any]) -> DeadLetter:
    """https://www.rabbitmq.com/docs/dlx#effects: the first entry of `x-death` is the latest death."""
    deaths = headers.get("x-death")
    death: Mapping[str, Any] = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
    queue = _text(death.get("queue"))
    keys = death.get("routing-keys")
    error = f"RabbitMQ gave it up: {_text(death.get('reason')) or 'no reason told'}"
    return _letter(
        message,
        failed_at=death["time"] if isinstance(death.get("time"), datetime) else datetime.now(UTC),
        queue=queue,
        exchange=_text(death.get("exchange")),
        routing_key=_text(keys[0]) if isinstance(keys, list) and keys else _text(message.routing_key),
        attempt=max(1, _number(death.get("count"))),
        error=error,
        stack="",
        print_=fingerprint(queue, error, None),
    )


def _letter(message: AbstractIncomingMessage, *, failed_at: datetime, print_: str, **values: Any) -> DeadLetter:
    moment = failed_at if failed_at.tzinfo else failed_at.replace(tzinfo=UTC)
    return DeadLetter.model_construct(
        failed_at=moment,
        fingerprint=print_[:MAX_FINGERPRINT] or fingerprint(values["queue"], values["error"], None),
        content_type=_text(message.content_type) or "application/octet-stream",
        body=message.body,
        **values,
    )


def _text(value: object) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) if value is not None else ""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()[:MAX_TEXT]


def _number(value: object) -> int:
    return max(0, min(value, 1_000_000)) if isinstance(value, int) else 1


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return datetime.now(UTC)
