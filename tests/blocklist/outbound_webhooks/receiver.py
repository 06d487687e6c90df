"""A CRM's end of a webhook: a real HTTP server that answers as a test wants, and keeps what came."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Posted:
    """One request."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """What it answers next, then 200; and what it was sent."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    posted: list[Posted] = field(default_factory=list)
    location: str = ""
    hold: Callable[[], Awaitable[None]] | None = None

    @property
    def addresses(self) -> list[str]:
        return [event["data"]["address"] for one in self.posted for event in one.events]

    async def count(self) -> int:
        return len(self.posted)

    async def take(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.posted.append(Posted(headers, await request.read()))
        if self.hold is not None:
            await self.hold()
        status = self.answers.pop(0) if self.answers else 200
        return web.Response(status=status, headers={"Location": self.location} if self.location else {})

    async def flood(self, request: web.Request) -> web.StreamResponse:
        """Answer without end."""
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(b"x" * 65_536)
        except ConnectionError:
            return answer


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    app.router.add_post("/flood", receiver.flood)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"{'https' if tls else 'http'}://{host}:{port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def never() -> None:
    await asyncio.Event().wait()
