"""From what arrived to the command that keeps it. No I/O; the same bytes always make the same id."""

import zlib
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from returpost.bounces.events.results import Derived
from returpost.contracts import (
    BounceClassified,
    BounceReceived,
    DeliveryRecorded,
    Mention,
    RawMessageStore,
    RawOutcome,
    Result,
    construct_trusted,
    ids,
)
from returpost.contracts.cloudevents import EncodedEvent
from returpost.errors import InvalidMessage
from services.ingest.events import new_encoded_event

LEVEL = 1
"""Of zlib: text shrinks to a third, and higher levels cost more than they gain."""
SMALL = 4096
"""Bytes; a window of 12 bits sees all of it."""
MAX_BODY = 16 * 1024 * 1024
"""Bytes of a report when it is unpacked: nothing larger can have come in."""
ASKED_ABOUT = frozenset((Result.BOUNCED, Result.COMPLAINED, Result.UNSUBSCRIBED))
"""Results that somebody will ask the reason of."""


@dataclass(frozen=True, slots=True)
class RawMessage:
    """Something as it message. `source` is a way in for mails, or the name of a provider."""

    body: bytes
    tenant: str
    source: str
    content_type: str
    outcome: RawOutcome = RawOutcome.READ
    problem: str = ""


def store_command(message: RawMessage, derived: Iterable[Derived] = (), identity: str = "") -> EncodedEvent:
    """Return the command to keep it. `derived` are the events that were made of it; `identity` is its own id."""
    data = construct_trusted(
        RawMessageStore,
        source=message.source,
        outcome=message.outcome,
        problem=message.problem[:1000],
        content_type=message.content_type,
        size=len(message.body),
        body=b64encode(_deflated(message.body)).decode(),
        mentions=list(_mentions(derived)),
        time=datetime.now(UTC),
    )
    own = identity or ids.of_bytes(message.tenant, message.body)
    return new_encoded_event(data, id=own, tenant=message.tenant)


def is_worth_keeping(derived: Sequence[Derived]) -> bool:
    """Say whether somebody will ask for the reason: it was no mere delivery or open."""
    return any(
        isinstance(follower.data, BounceReceived)
        or (isinstance(follower.data, DeliveryRecorded) and follower.data.result in ASKED_ABOUT)
        for follower in derived
    )


def packed(data: RawMessageStore) -> bytes:
    """Return the deflated bytes of a report. Raises `InvalidMessage` when they are none."""
    try:
        body = b64decode(data.body, validate=True)
        unpacked(body)
    except (NotBase64, ValueError, zlib.error):
        raise InvalidMessage("data.body: not the Base64 of deflated bytes") from None
    return body


def _deflated(body: bytes) -> bytes:
    """Return the body deflated; a small one with little memory, most of what it costs being to prepare that."""
    if len(body) > SMALL:
        return zlib.compress(body, LEVEL)
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, wbits=12, memLevel=4)
    return deflate.compress(body) + deflate.flush()


def unpacked(body: bytes) -> bytes:
    """Return the bytes as they arrived, never more than may have come in. Raises `zlib.error`."""
    return zlib.decompressobj().decompress(body, MAX_BODY)


def _mentions(derived: Iterable[Derived]) -> Iterable[Mention]:
    """Yield whom the events are about. A verdict's id follows from the bounce's, so that it can be asked by as well."""
    found: dict[tuple[str, str], list[str]] = {}
    for follower in derived:
        events = found.setdefault((follower.data.address, follower.data.mailing), [])
        events.append(follower.id)
        if isinstance(follower.data, BounceReceived):
            events.append(ids.derived(follower.id, BounceClassified.TYPE))
    for (address, mailing), events in found.items():
        yield construct_trusted(Mention, events=events, address=address, mailing=mailing)
