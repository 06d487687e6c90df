"""What a dead letter says: the original bytes; in its headers the error, its fingerprint, the origin, the attempt."""

import hashlib
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from returpost.amqp.publisher import Message, Publishes
from returpost.contracts.routing import DEAD, DEAD_LETTERS, FIRST_ROUTING_KEY, PARKED, REPLAY
from shared.observability.metrics import PUBLISHED
from shared.release import release

PREFIX = "x-returpost-"
EXCHANGE = f"{PREFIX}exchange"
ROUTING_KEY = FIRST_ROUTING_KEY
USER = f"{PREFIX}user"
"""Headers: how the message was published at first, and by whom: it is accepted by this again when it is replayed."""
ATTEMPT = f"{PREFIX}attempt"
"""Header: how often the message has been processed and failed; a replay carries it on."""
QUARANTINE = f"{PREFIX}quarantined"
"""Header: processes have died while they had it in hand. Replay sends it once more by itself."""
REPLAY_PART = f"{PREFIX}replay"
"""Header of a replayed message, `<job>/<part>`; a dead letter that comes of it carries it on, and so links to it."""
PARKED_FOR = f"{PREFIX}parked-for"
"""Header: why replay could not keep a dead letter."""
MAX_STACK = 8_000
MAX_HEADERS = 50
MAX_HEADER = 1_000
"""Characters."""


def dead_letter(
    body: bytes,
    *,
    queue: str,
    exchange: str,
    routing_key: str,
    user: str | None = None,
    content_type: str | None,
    headers: Mapping[str, Any],
    error: str,
    exception: BaseException | None = None,
    quarantined: bool = False,
) -> Message:
    """Return the dead letter of one message or of one event of it.

    `error` says what was wrong and where, `user` which of the broker's users published it.
    """
    if queue == DEAD_LETTERS:
        # A dead letter of a dead letter would come back to where it fails, for ever: it is put aside as it is.
        return Message(REPLAY, PARKED, body, content_type or "", {**headers, PARKED_FOR: error[:2_000]})
    stack = "".join(traceback.format_exception(exception)) if exception else ""
    linked = {REPLAY_PART: headers[REPLAY_PART]} if REPLAY_PART in headers else {}
    return Message(
        DEAD,
        "",
        body,
        content_type or "application/octet-stream",
        {
            **_carried_on(headers),
            **linked,
            f"{PREFIX}error": error[:2_000],
            f"{PREFIX}error-type": "InvalidMessage" if exception is None else type(exception).__name__,
            f"{PREFIX}release": release(),
            f"{PREFIX}fingerprint": fingerprint(queue, error, exception),
            f"{PREFIX}stack": stack[-MAX_STACK:],
            f"{PREFIX}queue": queue,
            EXCHANGE: exchange,
            ROUTING_KEY: routing_key,
            USER: user or "",
            f"{PREFIX}time": datetime.now(UTC).isoformat(),
            ATTEMPT: attempt_of(headers) + 1,
            QUARANTINE: quarantined,
        },
    )


def _carried_on(headers: Mapping[str, Any]) -> dict[str, str | int]:
    """Return the message's own headers, within bounds; ours and the broker's (`x-...`) say nothing of it any more.

    `CC` and `BCC` would route a copy elsewhere (https://www.rabbitmq.com/docs/sender-selected).
    """
    own = ((name, value) for name, value in headers.items() if not name.lower().startswith(("x-", "cc", "bcc")))
    short = [(name, value) for name, value in own if isinstance(value, str | int) and len(str(value)) <= MAX_HEADER]
    return dict(short[:MAX_HEADERS])


def attempt_of(headers: Mapping[str, Any]) -> int:
    """Return how often the message has failed before."""
    value = headers.get(ATTEMPT, 0)
    return value if isinstance(value, int) else 0


def fingerprint(queue: str, error: str, exception: BaseException | None) -> str:
    """Return 16 hexadecimal digits that failures of one kind share: the same queue, and the same place in the code.

    A failure without an exception (a broken contract) is of the kind of its message, numbers aside.
    """
    if exception is None:
        place = "".join("#" if character.isdigit() else character for character in error)
    else:
        frames = traceback.extract_tb(exception.__traceback__)
        place = "|".join([type(exception).__name__, *(f"{frame.name}@{frame.filename[-60:]}" for frame in frames)])
    return hashlib.sha256(f"{queue}\x1f{place}".encode(errors="replace")).hexdigest()[:16]


async def publish_or_dead_letter(publisher: Publishes, messages: Sequence[Message]) -> None:
    """Publish; what no queue wants (a retry command for a sender without a queue) goes to the dead letters."""
    if not messages:
        return
    returned = await publisher.publish(messages)
    PUBLISHED.inc(len(messages) - len(returned))
    if returned:
        await publisher.publish([_unroutable(message) for message in returned if message.exchange != DEAD])


def _unroutable(message: Message) -> Message:
    return dead_letter(
        message.body,
        queue="",
        exchange=message.exchange,
        routing_key=message.routing_key,
        content_type=message.content_type,
        headers=message.headers,
        error=f"no queue takes {message.routing_key} of {message.exchange}; is the sender declared?",
    )
