"""Bounds the body of a request: its length, its values, the memory of all bodies, and how slowly one may come."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.problems import RETRY, problem

MAX_BODY = 32 * 1024 * 1024
"""Bytes of a body, where a route does not say otherwise."""
MAX_STREAM = 4 * 1024 * 1024 * 1024
"""Bytes of a body that is read as it comes, and never held."""
MAX_STREAMS = 32
"""Such bodies that a process reads at a time."""
MAX_BODIES = 512 * 1024 * 1024
"""Bytes of all bodies that a process holds at a time."""
MAX_VALUES = 101_000
"""Values of a JSON body, the longest list that a route takes (100,000 addresses) and what stands beside it. Each takes
about 100 bytes of memory, and 2 in the body."""
GRACE = 20.0
"""Seconds that the parts of a body may be waited for, and besides as long as it takes at `MIN_RATE`."""
MIN_RATE = 10_000
"""Bytes a second."""
TOO_MANY = "body: too many are coming in; try again"
_CLOSE = {"Connection": "close"}


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """What the bodies of a route may be."""

    bytes: int = MAX_BODY
    values: int | None = MAX_VALUES
    """Of one that is JSON; none where the route takes it apart by itself."""


class MaxBodyMiddleware:
    """Refuses a body beyond its limits with 413, by its declared length or while it comes in; one that comes too
    slowly with 408; and with 503 what would exceed the memory for all bodies.

    Paths in `app.state.streamed` take up to `MAX_STREAM`, if it is not one JSON value. Paths that begin as a key of
    `app.state.body_limits` have limits of their own.
    """

    def __init__(self, app: ASGIApp, budget: int = MAX_BODIES, grace: float = GRACE) -> None:
        self._app = app
        self.budget = budget
        self.grace = grace
        self.held = 0
        """Bytes of the bodies that are held now."""
        self.streams = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state, headers = scope["app"].state, dict(scope["headers"])
        json = headers.get(b"content-type", b"application/json").lower().startswith(b"application/json")
        streamed = scope["path"] in state.streamed and not json
        limit = BodyLimit(MAX_STREAM, None) if streamed else _limit_of(scope["path"], state.body_limits)
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and (len(declared) > len(str(MAX_STREAM)) or int(declared) > limit.bytes):
            await problem(413, _too_long(limit.bytes), headers=_CLOSE)(scope, receive, send)
            return
        if streamed and self.streams >= MAX_STREAMS:
            await problem(503, TOO_MANY, headers=RETRY | _CLOSE)(scope, receive, send)
            return
        self.streams += streamed
        body = _Body(self, receive, limit, is_held=not streamed, is_json=json)
        try:
            await self._app(scope, body.receive, send)
        finally:
            self.held -= body.held
            self.streams -= streamed


class _Body:
    """One body on its way in."""

    def __init__(
        self, bounds: MaxBodyMiddleware, receive: Receive, limit: BodyLimit, *, is_held: bool, is_json: bool
    ) -> None:
        self.held = 0
        self._bounds = bounds
        self._receive = receive
        self._limit = limit
        self._is_held = is_held
        self._values = limit.values if is_json else None
        self._seen = 0
        self._commas = 0
        self._waited = 0.0
        self._whole = False

    async def receive(self) -> Message:
        """Return the next part. Raises HTTP 408, 413 and 503."""
        if self._whole:
            return await self._receive()  # whether the caller is gone
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self._bounds.grace + self._seen / MIN_RATE - self._waited):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, "body: it came too slowly, and was not read to its end", _CLOSE) from None
        self._waited += time.monotonic() - begun
        self._whole = not message.get("more_body", False)
        self._take(message.get("body", b""))
        return message

    def _take(self, part: bytes) -> None:
        self._seen += len(part)
        if self._seen > self._limit.bytes:
            raise HTTPException(413, _too_long(self._limit.bytes), _CLOSE)
        if self._values is not None:
            self._commas += part.count(b",") + part.count(b"[") + part.count(b"{")
            if self._commas > self._values:
                raise HTTPException(413, f"body: more than {self._values} values; send it in parts", _CLOSE)
        if self._is_held:
            if self._bounds.held + len(part) > self._bounds.budget:
                raise HTTPException(503, TOO_MANY, RETRY | _CLOSE)
            self._bounds.held += len(part)
            self.held += len(part)


def _limit_of(path: str, limits: Mapping[str, BodyLimit]) -> BodyLimit:
    return next((limit for prefix, limit in limits.items() if path.startswith(prefix)), BodyLimit())


def _too_long(limit: int) -> str:
    return f"body: more than {limit} bytes; send it in parts"
