"""One POST to a receiver, within bounds of time and size, and without following anybody elsewhere."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import httpcore
import httpx

from shared.outbound import signing
from shared.outbound.answer import NO_ANSWER, Answer
from shared.outbound.ssrf_guard import AllowedDestinations, Forbidden, GuardedNetwork

MAX_ANSWER: Final = 64 * 1024
"""Bytes of an answer that are read; nobody needs them, but the connection can be kept for the next."""
MAX_TEXT: Final = 200
"""Bytes of an answer that are kept."""
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
        """Post JSON, signed by each secret if there is one, and return what came of it; raises nothing."""
        began = time.monotonic()
        try:
            self._allowed.check_url(url)
            async with asyncio.timeout(self._seconds):
                status, wish, text = await self._exchange(url, id_, body, secrets)
        except Forbidden as error:
            return Answer(NO_ANSWER, str(error))
        except (TimeoutError, httpcore.TimeoutException):
            return Answer(NO_ANSWER, f"no answer within {self._seconds:g} s", _since(began))
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            return Answer(NO_ANSWER, f"{type(error).__name__}: {error}"[:200], _since(began))
        problem = "" if 200 <= status < 300 else f"HTTP {status}"
        if 300 <= status < 400:
            problem += ": redirects are not followed; set the URL itself"
        return Answer(status, problem, _since(began), wish, text)

    async def _exchange(
        self, url: str, id_: str, body: bytes, secrets: Sequence[str]
    ) -> tuple[int, timedelta | None, str]:
        headers: dict[bytes | str, bytes | str] = {
            "Host": httpx.URL(url).netloc.decode(),
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "User-Agent": "returpost-webhooks/1",
        }
        if secrets:
            headers.update(signing.headers(id_, int(time.time()), body, secrets).items())
        limits = dict.fromkeys(("connect", "read", "write", "pool"), self._seconds)
        async with self._pool.stream(
            "POST", url, headers=headers, content=body, extensions={"timeout": limits}
        ) as answer:
            read, beginning = 0, b""
            async for chunk in answer.aiter_stream():
                read += len(chunk)
                beginning = (beginning + chunk[:MAX_TEXT])[:MAX_TEXT]
                if read > MAX_ANSWER:
                    break
            given = {name.lower(): value for name, value in answer.headers}
            return answer.status, _wish(given.get(b"retry-after", b"")), _printable(beginning)


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1_000)


def _wish(header: bytes) -> timedelta | None:
    """Read a `Retry-After` in seconds; as a date it is not obeyed."""
    return timedelta(seconds=int(header)) if header.isdigit() and len(header) < 8 else None


def _printable(body: bytes) -> str:
    """Return what can be shown of the beginning of an answer."""
    return "".join(one if one.isprintable() else " " for one in body.decode(errors="replace")).strip()
