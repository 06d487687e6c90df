"""The snapshot of a tenant's blocks, as the blocklist sends it, and the journal that keeps it between two runs.

Both are lines of JSON. The first says when the snapshot was begun; then comes a line an address, a list of address,
version, cause, reason, exempt streams and the streams that skip it; in the journal these go on with what the stream
told since, where an address that is free has no cause, and with positions in the stream. The last line of a snapshot
counts the addresses.
"""

import json
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

import httpx

from returpost.errors import InvalidSettings, ReturpostError, Unavailable

LINES_AT_ONCE: Final = 2_000
TIMEOUT: Final = httpx.Timeout(10.0, read=120.0)
MEDIA_TYPE: Final = "application/x-ndjson"

Row: TypeAlias = tuple[str, int, str | None, str | None, Sequence[str] | None, Sequence[str] | None]
"""Key of the address, version, cause (none: not blocked), reason, streams that are exempt, and (where not all do) those
that skip it."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far into the stream a mirror has come."""

    offset: int
    digest: str
    """Of the message at the offset: another stream has another one there."""
    at: float
    """When the mirror knew all that there was (seconds since 1970)."""


@dataclass(frozen=True, slots=True)
class Begun:
    """When a snapshot was begun."""

    version: int
    """The time as versions are: microseconds since 1970, by the blocklist's clock."""
    tenant: str


async def download(client: httpx.AsyncClient, url: str, token: str, tenant: str) -> AsyncIterator[list[bytes]]:
    """Yield the lines of a snapshot, many at a time.

    Raises `Unavailable` when the blocklist is away or breaks off, `InvalidSettings` when it refuses the token.
    """
    rest = b""
    try:
        async with client.stream(
            "GET",
            f"{url.rstrip('/')}/v1/blocks/snapshot",
            params={"tenant": tenant},
            headers={"Authorization": f"Bearer {token}", "Accept": MEDIA_TYPE},
            timeout=TIMEOUT,
        ) as answer:
            await raise_for_refusal(answer)
            async for piece in answer.aiter_bytes(256 * 1024):
                *lines, rest = (rest + piece).split(b"\n")
                yield lines
    except httpx.HTTPError as error:
        raise Unavailable(f"the snapshot of {tenant} broke off: {type(error).__name__}") from None
    if rest:
        yield [rest]


async def raise_for_refusal(answer: httpx.Response) -> None:
    """Raise `InvalidSettings` when the token is refused, `Unavailable` when the blocklist is away."""
    if answer.status_code == httpx.codes.OK:
        return
    words = (await answer.aread())[:500].decode(errors="replace")
    if answer.status_code in (401, 403):
        raise InvalidSettings(f"the blocklist refuses the token: {words}")
    if answer.status_code >= 500:
        raise Unavailable(f"the blocklist: {answer.status_code}: {words}")
    raise ReturpostError(f"the blocklist: {answer.status_code}: {words}")


@dataclass(frozen=True, slots=True)
class FeedPosition:
    """How far into the feed over HTTP a mirror has come."""

    cursor: str
    at: float
    """When the mirror knew all that there was (seconds since 1970)."""


def parse(lines: Iterable[bytes]) -> Iterator[list[Any]]:
    """Yield the values of lines, many at a time; they are lists or objects. Raises `ValueError` for any other text."""
    waiting = iter(lines)
    while part := list(islice(waiting, LINES_AT_ONCE)):
        yield json.loads(b"[" + b",".join(line for line in part if line) + b"]")


def row_of(value: Sequence[Any]) -> Row:
    """Read the line of an address; one of an earlier version does not say which streams skip it: all."""
    if len(value) == 5:
        return (*value, None)
    address, version, cause, reason, exempt_streams, streams = value
    return address, version, cause, reason, exempt_streams, streams


def begun(value: Any) -> Begun:
    """Read the first line. Raises `ReturpostError` when it is none."""
    try:
        return Begun(int(value["version"]), str(value["tenant"]))
    except (KeyError, TypeError, ValueError):
        raise ReturpostError("this is no snapshot: its first line does not say when it was begun") from None


class Journal:
    """A file that a snapshot is written to, and after it what changed."""

    def __init__(self, folder: Path, tenant: str) -> None:
        self._path = Path(folder) / f"blocks-{tenant}.jsonl"
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file: IO[bytes] | None = None
        self._new: IO[bytes] | None = None

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of the last run, up to the first that is not whole."""
        try:
            with self._path.open("rb") as file:
                yield from (line for line in file if line.endswith(b"\n"))
        except FileNotFoundError:
            return

    def begin(self) -> None:
        """Begin a new snapshot beside the old one."""
        self._close_new()
        handle = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._new = os.fdopen(handle, "wb")

    def add(self, lines: Iterable[bytes]) -> None:
        """Add lines to the snapshot."""
        if self._new is not None:
            self._new.writelines(line + b"\n" for line in lines if line)

    def add_rows(self, rows: Iterable[Row]) -> None:
        """Add addresses to the snapshot."""
        if self._new is not None:
            self._new.writelines(map(_line, rows))

    def end(self) -> None:
        """Put the snapshot, which is whole, in the place of the old one."""
        if self._new is not None:
            self._new.flush()
            os.fsync(self._new.fileno())
            self._close_new()
            self.close()
            self._part.replace(self._path)

    def append(self, rows: Iterable[Row], position: Position | FeedPosition) -> None:
        """Add what changed, and how far the stream or the feed has been read with it."""
        if self._file is None:
            self._file = self._path.open("ab")
        self._file.writelines(_line(row) for row in rows)
        self._file.write(_line(asdict(position)))
        self._file.flush()

    def close(self) -> None:
        """Close the files."""
        self._close_new()
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def _part(self) -> Path:
        return self._path.with_suffix(".part")

    def _close_new(self) -> None:
        if self._new is not None:
            self._new.close()
            self._new = None


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"
