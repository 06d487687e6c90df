"""Bounds the connections of a process: how many, from whom, how long a head may be and how long anything may take.

uvicorn bounds none of it with httptools: https://www.uvicorn.org/settings/#timeouts
"""

import asyncio
import resource
from dataclasses import dataclass
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MAX_HEAD = 64 * 1024
"""Bytes of request line and headers; one read from the socket may exceed it before it is noticed."""
MAX_HEADERS = 100
FRAMING = 16
"""Bytes of chunk headers and trailers for each byte of a body: a chunk of one byte takes 6."""
HEAD_SECONDS = 10.0
"""From the connection, or the last answer, to the end of a head."""
STALLED_SECONDS = 60.0
"""How long a client may leave an answer unread."""
LINGER_SECONDS = 10.0
"""How long a connection that is closed may take to deliver the rest of its answer."""
SPARE_FILES = 200
"""Open files that are left for databases, brokers, and files."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections a process has at a time; of more, those that wait for a request longest are closed."""

    total: int = 1_000
    per_client: int = 250
    """By address of the client; behind a proxy that is the proxy."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    limits: ClassVar[ConnectionLimits] = ConnectionLimits()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.waits_since: float | None = None
        """Since when it has no request in hand; none: it has one."""
        self._head_timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._overhead = 0
        self._body = 0
        self._begun = False
        self._status = 400

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, in the place of one that waits when there are too many; else refuse it with 503."""
        super().connection_made(transport)
        self._wait()
        for most, client in ((self.limits.per_client, self._host()), (self.limits.total, None)):
            if len(self.connections) > most and not self._make_room(most, client):
                self._status = 503
                self.send_400_response("too many connections; try again")
                return

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        self._cancel_timers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read, and refuse what is more than a head and its body."""
        self._overhead += len(data)
        super().data_received(data)
        if self._overhead > MAX_HEAD + FRAMING * self._body and not self.transport.is_closing():
            self._status = 431
            self.send_400_response("the head of the request is too large")

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._overhead = self._body = 0
        self._begun = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; raises `ValueError`, which httptools reports, when they are too many."""
        super().on_header(name, value)
        if len(self.headers) > MAX_HEADERS:
            self._status = 431
            raise ValueError

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self.waits_since = None
        self._stop_head_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count it."""
        self._overhead -= len(body)
        self._body += len(body)
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Wait for the next request, or see that what is closed goes."""
        super().on_response_complete()
        if self.transport.is_closing():
            self.loop.call_later(LINGER_SECONDS, self.transport.abort)
        elif self.timeout_keep_alive_task is not None:
            self._wait()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, with another status where one was chosen, and close."""
        self._stop_head_timer()
        content = msg.encode("ascii")
        head = b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
        self.transport.write(STATUS_LINE[self._status] + head % len(content) + content)
        self.transport.close()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over."""
        self._cancel_timers()
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        """The client does not read: wait for it, but not for ever."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(STALLED_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _host(self) -> str:
        return self.client[0] if self.client else ""

    def _wait(self) -> None:
        self.waits_since, self._begun = self.loop.time(), False
        self._stop_head_timer()
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _head_is_late(self) -> None:
        if self._begun and not self.transport.is_closing():
            self._status = 408
            self.send_400_response("the request did not come")
        else:
            self.transport.abort()

    def _make_room(self, most: int, client: str | None) -> bool:
        """Close the connection that waits longest, of a client or of all; false when they are too many and busy."""
        alike = [
            one for one in self.connections if client is None or (getattr(one, "client", None) or ("",))[0] == client
        ]
        if len(alike) <= most:
            return True
        waiting = [one for one in alike if isinstance(one, BoundedProtocol) and one.is_idle() and one is not self]
        if not waiting:
            return False
        oldest = min(waiting, key=lambda one: one.waits_since or 0.0)
        self.connections.discard(oldest)
        oldest.transport.abort()
        return True

    def is_idle(self) -> bool:
        """Tell whether nothing is lost when it is closed."""
        return self.waits_since is not None and not self.transport.is_closing()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _cancel_timers(self) -> None:
        self._stop_head_timer()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


def protocol(limits: ConnectionLimits) -> type[BoundedProtocol]:
    """Return the protocol with these limits, which the open files of the process are raised for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.total + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        limits = ConnectionLimits(min(limits.total, max(10, soft - SPARE_FILES)), limits.per_client)
    return type("Protocol", (BoundedProtocol,), {"limits": limits})
