"""The mirror: a tenant's blocks in the sender's own process, so that a look-up needs no network."""

import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import httpx
from aio_pika.abc import AbstractIncomingMessage

from returpost.amqp.connections import CONNECTION_ERRORS, open_channel, open_connection
from returpost.amqp.streams import StreamReader, offset_of, open_stream
from returpost.amqp.tasks import cancel_and_wait
from returpost.client.address_table import AddressTable
from returpost.client.background import Background
from returpost.client.feed import BlockFeed, FeedPart, row_of_event
from returpost.client.held_blocks import DOMAIN, Blocked, Domains, HeldBlocks
from returpost.client.snapshot import FeedPosition, Journal, Position, Row, begun, download, parse, row_of
from returpost.client.stream import RECONNECT, BlockEvent, BlockStream
from returpost.contracts import AddressBlocked, AddressUnblocked, DomainBlocked, DomainUnblocked
from returpost.contracts.addresses import key
from returpost.contracts.enums import BlockCause
from returpost.contracts.routing import BLOCKS
from returpost.errors import ReturpostError, Unavailable

QUIET: Final = 0.5
"""Seconds without an event after which all is known that there was."""
PROBE: Final = 5.0
"""Seconds between two questions to the broker whether it is still there."""
FIRST: Final = 10.0
"""Seconds in which the message at a known offset must come; else the stream is another one."""
IN_FLIGHT: Final = 600_000_000
"""Versions (microseconds) by which a change may be older than the snapshot that does not have it."""
OLD_JOURNAL: Final = 4
"""A journal with this many lines an address is begun anew."""


class Mirror(HeldBlocks):
    """Holds the blocks of one tenant, across restarts of everything, and follows what becomes of them.

    async with Mirror("https://blocklist.example", token, "demo", folder=Path("mirror")) as mirror:
        await mirror.ready()
        to_send = [address for address in addresses if address not in mirror]

    It follows the feed over HTTP, for which the tenant's token is enough; with `amqp_url` the stream of blocks, which
    has all tenants' addresses. After an absence it goes on where it stopped; when that is no longer possible it takes
    all anew, and answers out of what it has until that is there. With `folder` it also outlives its process, and
    answers at once after a start. Look-ups are safe from any thread. It has blocks alone: who was erased, and is
    skipped by the setting `skip_erased`, it cannot know.
    """

    def __init__(
        self, url: str, token: str, tenant: str, *, amqp_url: str | None = None, folder: Path | None = None
    ) -> None:
        """`url` is the blocklist's API, which the token must be allowed to check at."""
        super().__init__()
        self._url, self._token, self._amqp_url, self._tenant = url, token, amqp_url, tenant
        self._journal = Journal(folder, tenant) if folder is not None else None
        self._floor = 0
        self._position: Position | FeedPosition | None = None
        self._known_at = 0.0
        self._attached_at = 0.0
        self._current = asyncio.Event()
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Mirror":
        if self._journal is not None:
            self._recall(self._journal)
        self._following = asyncio.create_task(self._follow(), name=f"mirror of {self._tenant}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._following is not None:
            await cancel_and_wait(self._following)
        if self._journal is not None:
            self._journal.close()

    async def ready(self, patience: float | None = None) -> None:
        """Wait, at most so many seconds, until all is known that there is now.

        Raises `TimeoutError`, `InvalidSettings` when the token or the user is refused, and what else ended the mirror.
        """
        following = self._following
        if following is None:
            raise ReturpostError("enter the mirror first: async with Mirror(...) as mirror")
        current = asyncio.ensure_future(self._current.wait())
        try:
            async with asyncio.timeout(patience):
                await asyncio.wait((current, following), return_when=asyncio.FIRST_COMPLETED)
        finally:
            current.cancel()
        if following.done():
            following.result()

    @property
    def age(self) -> float:
        """Seconds by which the mirror may be behind: since it last knew all that there was, by what it hears."""
        return max(0.0, time.time() - self._known_at) if self._known_at else float("inf")

    # What follows keeps it up to date.

    async def _follow(self) -> None:
        while True:
            try:
                if self._amqp_url is None:
                    await self._follow_feed()
                    continue
                async with open_connection(self._amqp_url) as connection:
                    await self._follow_over(connection)
            except (*CONNECTION_ERRORS, Unavailable):
                self._current.clear()
                await asyncio.sleep(RECONNECT)

    async def _follow_over(self, connection: Any) -> None:
        """Follow the stream over one connection; come back when it must be attached to anew."""
        position = self._position if isinstance(self._position, Position) else None
        async with open_stream(connection, "last" if position is None else position.offset) as arriving:
            self._attached_at = time.time()
            if position is None:
                await self._take_snapshot()
            elif not await self._continues(arriving, position):
                self._position = None
                return
            async with open_channel(connection) as probing:
                while True:
                    await self._next(arriving, probing)

    async def _continues(self, arriving: StreamReader, position: Position) -> bool:
        """Say whether the stream has at our offset what it had there."""
        try:
            message = await arriving.next(FIRST)
        except TimeoutError:
            return False
        await message.ack()
        return offset_of(message) == position.offset and _digest(message) == position.digest

    async def _next(self, arriving: StreamReader, probing: Any) -> None:
        patience = PROBE if self._current.is_set() else QUIET
        try:
            message = await arriving.next(patience)
        except TimeoutError:
            async with asyncio.timeout(PROBE):
                await probing.get_queue(BLOCKS)
            self._is_current()
            return
        self._apply(message)
        await message.ack()

    def _is_current(self) -> None:
        self._known_at = time.time()
        self._current.set()

    def _apply(self, message: AbstractIncomingMessage) -> None:
        events = BlockStream.events_of(message, self._tenant)
        rows = [row for row in map(_row, events) if row is not None]
        for row in rows:
            self._put(self._held(), self._domains, row, self._floor)
        told_at = max((item.time.timestamp() for item in events if item.time), default=0.0)
        if self._current.is_set() or told_at > self._attached_at:
            self._is_current()
        self._position = Position(offset_of(message), _digest(message), self._known_at)
        if self._journal is not None:
            self._journal.append(rows, self._position)

    async def _take_snapshot(self) -> None:
        """Replace all that is known. Raises `Unavailable`, `InvalidSettings`; then what was known is still there."""
        began, first, missing = time.time(), None, 1
        table, domains = AddressTable(), Domains()
        if self._journal is not None:
            self._journal.begin()
        async with httpx.AsyncClient() as client:
            async for lines in download(client, self._url, self._token, self._tenant):
                for values in parse(lines):
                    if first is None and values:
                        first = begun(values.pop(0))
                    if values and isinstance(values[-1], dict):
                        missing += values.pop()["count"] - 1
                    missing -= len(values)
                    for row in values:
                        self._put(table, domains, row_of(row), 0)
                if self._journal is not None:
                    self._journal.add(line for line in lines if not line.startswith(b'{"count"'))
        if first is None or missing:
            raise Unavailable("the snapshot is not whole")
        if self._journal is not None:
            self._journal.end()
        self._replace(table, domains, first.version - IN_FLIGHT)
        self._known_at = began

    async def _follow_feed(self) -> None:
        """Follow the feed until the blocklist is away. Raises `Unavailable`, `InvalidSettings`."""
        after = self._position.cursor if isinstance(self._position, FeedPosition) and self._table is not None else ""
        anew = None if after else self._begin_anew()
        async with aclosing(BlockFeed(self._url, self._token, self._tenant).read_connected(after)) as parts:
            async for part in parts:
                if part.reset:
                    anew = self._begin_anew()
                rows = list(map(row_of_event, part.events))
                for row in rows:
                    self._put(*(anew or (self._held(), self._domains)), row, 0)
                if anew and self._journal is not None:
                    self._journal.add_rows(rows)
                if anew and not part.more:
                    if self._journal is not None:
                        self._journal.end()
                    self._replace(*anew, 0)
                    anew, rows = None, []
                if not anew:
                    self._take_place(part, rows)

    def _begin_anew(self) -> tuple[AddressTable, Domains]:
        if self._journal is not None:
            self._journal.begin()
            self._journal.add([json.dumps({"version": 0, "tenant": self._tenant}).encode()])
        return AddressTable(), {}

    def _take_place(self, part: FeedPart, rows: Sequence[Row]) -> None:
        """Keep how far the feed has been read."""
        if not part.more:
            self._is_current()
        known = self._position.cursor if isinstance(self._position, FeedPosition) else None
        self._position = FeedPosition(part.next_after, self._known_at)
        if self._journal is not None and (rows or part.next_after != known):
            self._journal.append(rows, self._position)

    def _replace(self, table: AddressTable, domains: Domains, floor: int) -> None:
        self._table, self._domains, self._floor = table, domains, floor
        self._codes_of_domains = {}

    def _recall(self, journal: Journal) -> None:
        """Take up what an earlier process left; what cannot be read is left for a new snapshot."""
        first, lines = None, 0
        position: Position | FeedPosition | None = None
        table, domains = AddressTable(), Domains()
        try:
            for values in parse(journal.lines()):
                lines += len(values)
                for value in values:
                    if isinstance(value, list):
                        self._put(table, domains, row_of(value), 0)
                    elif first is None:
                        first = begun(value)
                    else:
                        position = FeedPosition(**value) if "cursor" in value else Position(**value)
        except (ValueError, TypeError, ReturpostError):
            return
        if first is None or position is None or first.tenant != self._tenant:
            return
        self._replace(table, domains, max(0, first.version - IN_FLIGHT))
        self._known_at = position.at
        if lines < OLD_JOURNAL * (len(table) + 1_000):
            self._position = position


def _row(item: BlockEvent) -> Row | None:
    data = item.data
    if isinstance(data, DomainBlocked):
        return f"{DOMAIN}{data.domain}", data.version, BlockCause.DOMAIN, None, None, None
    if isinstance(data, DomainUnblocked):
        return f"{DOMAIN}{data.domain}", data.version, None, None, None, None
    if isinstance(data, AddressBlocked):
        return key(data.address), data.version, data.cause, data.reason, data.exempt_streams, data.streams
    if isinstance(data, AddressUnblocked):
        return key(data.address), data.version, None, None, None, None
    return None  # an erased address that was blocked has been lifted before


def _digest(message: AbstractIncomingMessage) -> str:
    return blake2b(message.body, digest_size=16).hexdigest()


class SyncMirror:
    """The same for programs without asyncio: a thread of its own keeps it up to date.

    with SyncMirror("https://blocklist.example", token, "demo", folder=Path("mirror")) as mirror:
        mirror.ready()
        to_send = [address for address in addresses if address not in mirror]
    """

    def __init__(
        self, url: str, token: str, tenant: str, *, amqp_url: str | None = None, folder: Path | None = None
    ) -> None:
        self._given = (url, token, tenant)
        self._amqp_url, self._folder = amqp_url, folder
        self._background = Background(f"returpost mirror of {tenant}")
        self._mirror: Mirror

    def __enter__(self) -> "SyncMirror":
        self._background.start()
        self._mirror = self._background.run(self._enter())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._background.run(self._mirror.__aexit__(kind, error, trace))
        self._background.stop()

    def ready(self, patience: float | None = None) -> None:
        """Wait until all is known that there is now. Raises what `Mirror.ready` does."""
        self._background.run(self._mirror.ready(patience))

    def __contains__(self, address: str) -> bool:
        """Say whether an address is blocked. Raises `Unavailable` before there is a snapshot."""
        return address in self._mirror

    def look_up(self, address: str, stream: str | None = None) -> Blocked | None:
        """Return why an address is skipped by a stream; nothing when it may be mailed. Raises `Unavailable`."""
        return self._mirror.look_up(address, stream)

    def skip(self, addresses: Iterable[str], stream: str | None = None) -> list[str]:
        """Return those that a stream skips, as they are written."""
        return self._mirror.skip(addresses, stream)

    def __len__(self) -> int:
        """Return how many addresses are blocked."""
        return len(self._mirror)

    @property
    def age(self) -> float:
        """Seconds by which the mirror may be behind."""
        return self._mirror.age

    async def _enter(self) -> Mirror:
        return await Mirror(*self._given, amqp_url=self._amqp_url, folder=self._folder).__aenter__()
