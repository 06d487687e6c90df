"""Reads a dead letter from any message, of our consumers or of the broker; it may break every contract."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from aio_pika.abc import AbstractIncomingMessage

from returpost.contracts.cloudevents import Event
from returpost.contracts.routing import REPLAY
from services.replay.domain.dead_letter import DeadLetter, ReplayOutcome, identity
from shared.messaging.acceptance import Origin, origin_of
from shared.messaging.dead_letters import (
    ATTEMPT,
    EXCHANGE,
    MAX_HEADER,
    MAX_HEADERS,
    PREFIX,
    QUARANTINE,
    REPLAY_PART,
    ROUTING_KEY,
    USER,
    fingerprint,
)

MAX_TEXT = 8_000
MAX_NAME = 255
"""AMQP 0-9-1: names are short strings."""
MAX_FINGERPRINT = 64
"""Ours have 16; what others put there must fit into an index."""


def read_dead_letter(message: AbstractIncomingMessage) -> Event[DeadLetter]:
    """Make an event of any message: of our consumers' (`x-returpost-...`), or of the broker's own (`x-death`).

    What RabbitMQ dead-letters still has the headers that its publisher gave it: ours count when a service published.
    """
    headers, origin = message.headers, origin_of(message)
    ours = origin.is_service and f"{PREFIX}error" in headers
    dead_letter = _ours(message, headers) if ours else _brokers(message, headers, origin)
    return Event[DeadLetter].model_construct(
        specversion="1.0", id=str(identity(dead_letter)), type=DeadLetter.TYPE, tenant="", source="", data=dead_letter
    )


def _ours(message: AbstractIncomingMessage, headers: Mapping[str, Any]) -> DeadLetter:
    return _dead_letter(
        message,
        failed_at=_time(_text(headers.get(f"{PREFIX}time"))),
        queue=_text(headers.get(f"{PREFIX}queue"))[:MAX_NAME],
        exchange=_text(headers.get(EXCHANGE)),
        routing_key=_text(headers.get(ROUTING_KEY)),
        published_by=_text(headers.get(USER))[:MAX_NAME],
        attempt=_number(headers.get(f"{PREFIX}attempt")),
        error=_text(headers.get(f"{PREFIX}error")),
        stack=_text(headers.get(f"{PREFIX}stack")),
        quarantined=headers.get(QUARANTINE) is True,
        fingerprint_=_text(headers.get(f"{PREFIX}fingerprint")),
        error_type=_text(headers.get(f"{PREFIX}error-type"))[:MAX_NAME],
        release=_text(headers.get(f"{PREFIX}release"))[:MAX_NAME],
    )


def _brokers(message: AbstractIncomingMessage, headers: Mapping[str, Any], origin: Origin) -> DeadLetter:
    """https://www.rabbitmq.com/docs/dlx#effects: the first entry of `x-death` is the latest death. Its routing keys and
    exchange are the publisher's word when the publisher gave the header; the key of the message is not."""
    deaths = headers.get("x-death")
    death: Mapping[str, Any] = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
    queue = _text(death.get("queue"))
    replayed = origin.is_service and death.get("exchange") == REPLAY
    error = f"dead-lettered by RabbitMQ: {_text(death.get('reason')) or 'no reason given'}"
    return _dead_letter(
        message,
        failed_at=death["time"] if isinstance(death.get("time"), datetime) else datetime.now(UTC),
        queue=queue,
        exchange=_text(headers.get(EXCHANGE) if replayed else death.get("exchange")),
        routing_key=_text(headers.get(ROUTING_KEY) if replayed else message.routing_key),
        published_by=_text(headers.get(USER) if replayed else message.user_id)[:MAX_NAME],
        # Of a replayed one the count of its replays goes on: else it would be the one before, and not a new failure.
        attempt=_number(headers.get(ATTEMPT)) + 1 if replayed else max(1, _number(death.get("count"))),
        error=error,
        stack="",
        quarantined=False,
        fingerprint_=fingerprint(queue, error, None),
        error_type="RabbitMQ",
        release="",
    )


def _dead_letter(
    message: AbstractIncomingMessage, *, failed_at: datetime, fingerprint_: str, **values: Any
) -> DeadLetter:
    moment = failed_at if failed_at.tzinfo else failed_at.replace(tzinfo=UTC)
    return DeadLetter.model_construct(
        failed_at=moment,
        fingerprint=fingerprint_[:MAX_FINGERPRINT] or fingerprint(values["queue"], values["error"], None),
        content_type=_text(message.content_type) or "application/octet-stream",
        headers=_own_headers(message.headers),
        replay_part=_text(message.headers.get(REPLAY_PART)) if origin_of(message).is_service else "",
        body=message.body,
        **values,
    )


def read_outcome(message: AbstractIncomingMessage) -> Event[ReplayOutcome]:
    """Make an event of what a consumer reports; of what is no report one that says nothing."""
    try:
        value = orjson.loads(message.body if origin_of(message).is_service else b"{}")
        parts = {str(one["part"]): [str(digest) for digest in one["failed"]] for one in value["parts"]}
        outcome = ReplayOutcome.model_construct(queue=str(value["queue"]), parts=parts)
    except (ValueError, TypeError, KeyError, AttributeError):
        outcome = ReplayOutcome.model_construct(queue="", parts={})
    return Event[ReplayOutcome].model_construct(
        specversion="1.0", id="", type=ReplayOutcome.TYPE, tenant="", source="", data=outcome
    )


def _own_headers(headers: Mapping[str, Any]) -> dict[str, str | int]:
    """Return the message's own headers; ours and the broker's (`x-...`) are columns of their own."""
    own = ((name, value) for name, value in headers.items() if not name.lower().startswith(("x-", "cc", "bcc")))
    plain = [(_text(name), value) for name, value in own if isinstance(value, str | int)]
    return {name: _text(value)[:MAX_HEADER] if isinstance(value, str) else value for name, value in plain[:MAX_HEADERS]}


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
