"""Posting as a provider does: prepared requests over connections that are kept open.

It shares the processors with what it measures, so that it does nothing that can be done before: 40 µs a request.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import cast

TICK = 0.002
"""Seconds between looks at what is due. uvloop counts in milliseconds: to sleep for less is to spin, and what spins
takes the processor from what is measured."""


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(
        self, answered: Callable[["Connection"], None], lost: Callable[[str], None], expected: tuple[bytes, ...]
    ) -> None:
        """`expected` is how answers end that are right; of any other, or none, `lost` is told."""
        self._answered = answered
        self._lost = lost
        self._expected = expected
        self._seen = b""
        self._transport: asyncio.Transport
        self.since = 0.0
        """When the request in hand was due."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes, due: float) -> None:
        """Post."""
        self.since = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take an answer, or a part of one."""
        self._seen += data
        if self._seen.startswith(b"HTTP/1.1 200") and self._seen.endswith(self._expected):
            self._seen = b""
            self._answered(self)
        elif len(self._seen) > 2_000 or not b"HTTP/1.1 200".startswith(self._seen[:12]):
            self._lost(f"answered {self._seen[:500]!r}")

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so, if an answer was still to come."""
        self._lost("the connection was closed")

    def close(self) -> None:
        """Hang up."""
        self._transport.abort()


class Poster:
    """Posts requests, each of which must be answered by what is expected."""

    def __init__(self, host: str, port: int, *expected: bytes) -> None:
        self._place = (host, port)
        self._expected = expected

    async def busy(self, requests: Sequence[bytes], connections: int) -> list[float]:
        """Post as many as go: each connection asks again when it is answered. Return the seconds that each took.

        Raises `RuntimeError` for an answer that is not what was expected.
        """
        waiting = iter(requests)

        def go_on(connection: Connection) -> None:
            request = next(waiting, None)
            if request is not None:
                connection.ask(request, time.monotonic())

        return await self._post(len(requests), connections, go_on, lambda idle: _begin(idle, go_on))

    async def steady(self, requests: Sequence[bytes], connections: int, rate: float) -> list[float]:
        """Post so many a second whatever comes back; one that waits for a connection has been waiting since it was due.

        Returns and raises as `busy` does.
        """
        idle: deque[Connection] = deque()
        late: deque[tuple[bytes, float]] = deque()

        def go_on(connection: Connection) -> None:
            if late:
                connection.ask(*late.popleft())
            else:
                idle.append(connection)

        async def release(connections: list[Connection]) -> None:
            idle.extend(connections)
            started, sent = time.monotonic(), 0
            while sent < len(requests):
                due = started + sent / rate
                if (pause := due - time.monotonic()) > 0:
                    await asyncio.sleep(max(pause, TICK))
                elif idle:
                    idle.popleft().ask(requests[sent], due)
                    sent += 1
                else:
                    late.append((requests[sent], due))
                    sent += 1

        return await self._post(len(requests), connections, go_on, release)

    async def _post(
        self,
        number: int,
        connections: int,
        go_on: Callable[[Connection], None],
        begin: Callable[[list[Connection]], Coroutine[None, None, None]],
    ) -> list[float]:
        loop = asyncio.get_running_loop()
        seconds: list[float] = []
        ended: asyncio.Future[None] = loop.create_future()

        def answered(connection: Connection) -> None:
            seconds.append(time.monotonic() - connection.since)
            if len(seconds) < number:
                go_on(connection)
            elif not ended.done():
                ended.set_result(None)

        def lost(why: str) -> None:
            if not ended.done():
                ended.set_exception(RuntimeError(why))

        def connection() -> Connection:
            return Connection(answered, lost, self._expected)

        made = [(await loop.create_connection(connection, *self._place))[1] for _ in range(connections)]
        beginning = asyncio.ensure_future(begin(made))
        await ended
        await beginning
        for one in made:
            one.close()
        return seconds


async def _begin(connections: list[Connection], go_on: Callable[[Connection], None]) -> None:
    for connection in connections:
        go_on(connection)
