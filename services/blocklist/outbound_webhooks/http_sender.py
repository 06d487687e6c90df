"""One POST to a receiver, within bounds of time and size, and without following anybody elsewhere."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import httpcore
import httpx

from services.blocklist.outbound_webhooks import signing
from services.blocklist.outbound_webhooks.schedule import NO_ANSWER, Answer
from services.blocklist.outbound_webhooks.ssrf_guard import AllowedDestinations, Forbidden, GuardedNetwork

MAX_ANSWER: Final = 64 * 1024
"""Bytes of an answer that are read; nobody needs them, but the connection can be kept for the next."""
IDLE_SECONDS: Final = 20.0


class HttpSender:
    """Posts signed messages, each over a connection that is kept a while."""

    def __init__(self, allowed: AllowedDestinations, timeout: timedelta, tls: ssl.SSLContext | None = None) -> None:
        self._allowed = allowed
        self._seconds = timeout.total_seconds()
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or httpx.create_ssl_context(),
            keepalive_expiry=IDLE_SECONDS,
            network_backend=GuardedNetwork(allowed),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    async def post(self, url: str, id_: str, body: bytes, secrets: Sequence[str]) -> Answer:
        """Post and return what came of it; raises nothing."""
        began = time.monotonic()
        try:
            self._allowed.check_url(url)
            async with asyncio.timeout(self._seconds):
                status, wish = await self._exchange(url, id_, body, secrets)
        except Forbidden as error:
            return Answer(NO_ANSWER, str(error))
        except (TimeoutError, httpcore.TimeoutException):
            return Answer(NO_ANSWER, f"no answer within {self._seconds:g} s", _since(began))
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            return Answer(NO_ANSWER, f"{type(error).__name__}: {error}"[:200], _since(began))
        problem = "" if 200 <= status < 300 else f"HTTP {status}"
        if 300 <= status < 400:
            problem += ": redirects are not followed; set the URL itself"
        return Answer(status, problem, _since(began), wish)

    async def _exchange(self, url: str, id_: str, body: bytes, secrets: Sequence[str]) -> tuple[int, timedelta | None]:
        headers: dict[bytes | str, bytes | str] = {
            "Host": httpx.URL(url).netloc.decode(),
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "User-Agent": "returpost-webhooks/1",
        }
        headers.update(signing.headers(id_, int(time.time()), body, secrets).items())
        limits = dict.fromkeys(("connect", "read", "write", "pool"), self._seconds)
        async with self._pool.stream(
            "POST", url, headers=headers, content=body, extensions={"timeout": limits}
        ) as answer:
            read = 0
            async for chunk in answer.aiter_stream():
                read += len(chunk)
                if read > MAX_ANSWER:
                    break
            given = {name.lower(): value for name, value in answer.headers}
            return answer.status, _wish(given.get(b"retry-after", b""))


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1_000)


def _wish(header: bytes) -> timedelta | None:
    """Read a `Retry-After` in seconds; as a date it is not obeyed."""
    return timedelta(seconds=int(header)) if header.isdigit() and len(header) < 8 else None
