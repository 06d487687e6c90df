"""A segment: messages of the archive in one file, a line a message, in two gzip members. The first is a line that says
what the second holds, with its checksum; `zcat` shows both."""

import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from returpost.errors import Unavailable
from services.replay.domain.archive_selection import tenant_of, time_of

MAX_TENANTS = 1_000
MAX_HEADER = 1_000_000


@dataclass(frozen=True, slots=True)
class Stored:
    """One message, as the stream has it."""

    offset: int
    routing_key: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """What a segment holds."""

    first: int
    last: int
    """Offsets of the stream. There may be none of some between them: then the stream had none."""
    messages: int
    oldest: datetime | None
    newest: datetime | None
    """Times of events."""
    tenants: tuple[str, ...] | None
    """None: more than are listed."""
    last_digest: str
    """SHA-256 of the last message as the stream had it: by this the stream is known to be the same."""
    sha256: str
    """Of the second member."""

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Self:
        """Return what a line says. Raises `ValueError`, `TypeError`, `LookupError`."""
        times = {name: datetime.fromisoformat(line[name]) if line[name] else None for name in ("oldest", "newest")}
        tenants = None if line["tenants"] is None else tuple(line["tenants"])
        return cls(**{**line, **times, "tenants": tenants})

    def may_have(self, since: datetime, tenant: str | None) -> bool:
        """Tell whether it may hold events from a time on, of a tenant or of all."""
        theirs = tenant is None or self.tenants is None or tenant in self.tenants
        return theirs and self.newest is not None and self.newest >= since


class Damaged(Unavailable):
    """A segment is not as it was written: whoever reads waits until somebody has mended that."""


def digest(body: bytes) -> str:
    """Return what a message is known by."""
    return hashlib.sha256(body).hexdigest()


def encode(messages: Sequence[Stored], last_digest: str | None = None) -> bytes:
    """Return the file of at least one message; `last_digest` of messages that are no longer as the stream had them."""
    lines = "".join(f"{json.dumps([one.offset, one.routing_key, _text(one.body)])}\n" for one in messages)
    packed = gzip.compress(lines.encode(), compresslevel=6, mtime=0)
    times = [moment for one in messages for event in events_of(one.body) if (moment := time_of(event))]
    tenants = sorted({name for one in messages if (name := tenant_of(one.routing_key))})
    header = Header(
        first=messages[0].offset,
        last=messages[-1].offset,
        messages=len(messages),
        oldest=min(times, default=None),
        newest=max(times, default=None),
        tenants=tuple(tenants) if len(tenants) <= MAX_TENANTS else None,
        last_digest=last_digest or digest(messages[-1].body),
        sha256=digest(packed),
    )
    return gzip.compress(f"{json.dumps(asdict(header), default=str)}\n".encode(), mtime=0) + packed


def split(content: bytes) -> tuple[Header, bytes]:
    """Return what a segment holds, and its second member, of which only the beginning need be there.

    Raises `Damaged`.
    """
    unpacker = zlib.decompressobj(wbits=31)
    try:
        line = unpacker.decompress(content, MAX_HEADER)
        return Header.of(json.loads(line)), unpacker.unused_data
    except (zlib.error, ValueError, TypeError, LookupError) as error:
        raise Damaged(f"its first line cannot be read: {error}") from None


def decode(content: bytes) -> tuple[Header, list[Stored]]:
    """Return what a segment holds, and its messages in their order. Raises `Damaged`."""
    header, packed = split(content)
    if digest(packed) != header.sha256:
        raise Damaged("its checksum does not agree")
    rows = [json.loads(line) for line in gzip.decompress(packed).splitlines()]
    return header, [Stored(offset, key, _bytes(text)) for offset, key, text in rows]


def events_of(body: bytes) -> list[dict[str, Any]]:
    """Return the events of a message as plain values; none of what is no JSON."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return []
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]


def _text(body: bytes) -> str:
    return body.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
