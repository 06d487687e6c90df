"""From what arrived to the command that keeps it. No I/O; the same bytes always make the same id."""

import zlib
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from returpost.bounces.events.results import SOURCE
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
from returpost.contracts.cloudevents import AnyEvent, EncodedEvent, encode_event
from returpost.errors import InvalidMessage

LEVEL = 1
"""Of zlib: text shrinks to a third, and higher levels cost more than they gain."""
SMALL = 4096
"""Bytes; a window of 12 bits sees all of it."""
MAX_BODY = 16 * 1024 * 1024
"""Bytes of a report when it is unpacked: nothing larger can have come in."""
TELLING = frozenset((Result.BOUNCED, Result.COMPLAINED, Result.UNSUBSCRIBED))
"""Results that somebody will ask the reason of."""


@dataclass(frozen=True, slots=True)
class RawMessage:
    """Something as it arrived. `source` is a way in for mails, or the name of a provider."""

    body: bytes
    tenant: str
    source: str
    content_type: str
    outcome: RawOutcome = RawOutcome.READ
    problem: str = ""


def store_command(arrived: RawMessage, followers: Iterable[AnyEvent] = (), identity: str = "") -> EncodedEvent:
    """Return the command to keep it. `followers` are the events that were made of it; `identity` is its own id."""
    data = construct_trusted(
        RawMessageStore,
        source=arrived.source,
        outcome=arrived.outcome,
        problem=arrived.problem[:1000],
        content_type=arrived.content_type,
        size=len(arrived.body),
        body=b64encode(_deflated(arrived.body)).decode(),
        mentions=list(_mentions(followers)),
        time=datetime.now(UTC),
    )
    own = identity or ids.of_bytes(arrived.tenant, arrived.body)
    return encode_event(data, id=own, source=SOURCE, tenant=arrived.tenant)


def is_worth_keeping(followers: Sequence[AnyEvent]) -> bool:
    """Say whether somebody will ask for the reason: it was no mere delivery or open."""
    return any(
        isinstance(follower.data, BounceReceived)
        or (isinstance(follower.data, DeliveryRecorded) and follower.data.result in TELLING)
        for follower in followers
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


def _mentions(followers: Iterable[AnyEvent]) -> Iterable[Mention]:
    """Yield whom the events are about. A verdict's id follows from the bounce's, so that it can be asked by as well."""
    found: dict[tuple[str, str], list[str]] = {}
    for follower in followers:
        events = found.setdefault((follower.data.address, follower.data.mailing), [])
        events.append(follower.id)
        if isinstance(follower.data, BounceReceived):
            events.append(ids.derived(follower.id, BounceClassified.TYPE))
    for (address, mailing), events in found.items():
        yield construct_trusted(Mention, events=events, address=address, mailing=mailing)
