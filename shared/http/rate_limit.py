"""How many requests a token may make: a bucket each, in this process, that fills steadily and may be emptied at once.

The headers are those of draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` says how much a full bucket is and
in how many seconds it fills, `RateLimit` how much is left and when it is full.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.problems import problem

MOST = 10_000
"""Tokens that are remembered; of more, those that asked last. What is no token is remembered as well, until then."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of one request."""

    left: float
    """Requests; below 0: this one is refused."""
    full_in: float
    """Seconds."""


@dataclass
class Buckets:
    """The buckets of all tokens. No I/O."""

    rate: float
    """Requests a second that each fills by."""
    burst: int
    """Requests that each holds."""
    _levels: OrderedDict[int, tuple[float, float]] = field(default_factory=OrderedDict)

    def take(self, token: int, now: float) -> Taken:
        """Take one request out of the bucket of a token; nothing is taken when none is left."""
        level, at = self._levels.pop(token, (float(self.burst), now))
        level = min(self.burst, level + (now - at) * self.rate)
        left = level - 1
        level = left if left >= 0 else level
        self._levels[token] = (level, now)
        if len(self._levels) > MOST:
            self._levels.popitem(last=False)
        return Taken(left, (self.burst - level) / self.rate)


class RateLimitMiddleware:
    """Refuses with 429 and `Retry-After` what a token asks beyond its rate, and tells how much is left."""

    def __init__(self, app: ASGIApp, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._buckets = Buckets(rate, burst)
        self._clock = clock
        self._policy = f'"token";q={burst};w={math.ceil(burst / rate)}'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shown = dict(scope["headers"]).get(b"authorization") if scope["type"] == "http" else None
        if shown is None:
            await self._app(scope, receive, send)
            return
        taken = self._buckets.take(hash(shown), self._clock())
        headers = {
            "RateLimit-Policy": self._policy,
            "RateLimit": f'"token";r={max(0, math.floor(taken.left))};t={math.ceil(taken.full_in)}',
        }
        if taken.left < 0:
            wait = str(max(1, math.ceil(-taken.left / self._buckets.rate)))
            refused = problem(429, "too many requests with this token; wait", headers=headers | {"Retry-After": wait})
            await refused(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await self._app(scope, receive, send_with_headers)
