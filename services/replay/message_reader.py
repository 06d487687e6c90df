"""Reads a dead letter from any message, of our consumers or of the broker; it may break every contract."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aio_pika.abc import AbstractIncomingMessage

from returpost.contracts.cloudevents import Event
from services.replay.domain.dead_letter import DeadLetter, identity
from shared.messaging.dead_letters import PREFIX, fingerprint

MAX_TEXT = 8_000
MAX_NAME = 255
"""AMQP 0-9-1: names are short strings."""
MAX_FINGERPRINT = 64
"""Ours have 16; what others put there must fit into an index."""


def read_dead_letter(message: AbstractIncomingMessage) -> Event[DeadLetter]:
    """Make an event of any message: of our consumers' (`x-returpost-...`), or of the broker's own (`x-death`)."""
    headers = message.headers
    dead_letter = _ours(message, headers) if f"{PREFIX}error" in headers else _brokers(message, headers)
    return Event[DeadLetter].model_construct(
        specversion="1.0", id=str(identity(dead_letter)), type=DeadLetter.TYPE, tenant="", source="", data=dead_letter
    )


def _ours(message: AbstractIncomingMessage, headers: Mapping[str, Any]) -> DeadLetter:
    return _dead_letter(
        message,
        failed_at=_time(_text(headers.get(f"{PREFIX}time"))),
        queue=_text(headers.get(f"{PREFIX}queue"))[:MAX_NAME],
        exchange=_text(headers.get(f"{PREFIX}exchange")),
        routing_key=_text(headers.get(f"{PREFIX}routing-key")),
        attempt=_number(headers.get(f"{PREFIX}attempt")),
        error=_text(headers.get(f"{PREFIX}error")),
        stack=_text(headers.get(f"{PREFIX}stack")),
        fingerprint_=_text(headers.get(f"{PREFIX}fingerprint")),
    )


def _brokers(message: AbstractIncomingMessage, headers: Mapping[str, Any]) -> DeadLetter:
    """https://www.rabbitmq.com/docs/dlx#effects: the first entry of `x-death` is the latest death."""
    deaths = headers.get("x-death")
    death: Mapping[str, Any] = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
    queue = _text(death.get("queue"))
    keys = death.get("routing-keys")
    error = f"dead-lettered by RabbitMQ: {_text(death.get('reason')) or 'no reason given'}"
    return _dead_letter(
        message,
        failed_at=death["time"] if isinstance(death.get("time"), datetime) else datetime.now(UTC),
        queue=queue,
        exchange=_text(death.get("exchange")),
        routing_key=_text(keys[0]) if isinstance(keys, list) and keys else _text(message.routing_key),
        attempt=max(1, _number(death.get("count"))),
        error=error,
        stack="",
        fingerprint_=fingerprint(queue, error, None),
    )


def _dead_letter(
    message: AbstractIncomingMessage, *, failed_at: datetime, fingerprint_: str, **values: Any
) -> DeadLetter:
    moment = failed_at if failed_at.tzinfo else failed_at.replace(tzinfo=UTC)
    return DeadLetter.model_construct(
        failed_at=moment,
        fingerprint=fingerprint_[:MAX_FINGERPRINT] or fingerprint(values["queue"], values["error"], None),
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
