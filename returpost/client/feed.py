"""The feed of a tenant's blocks over HTTP, for which the tenant's token is enough."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import httpx

from returpost.client.snapshot import Row, raise_for_refusal
from returpost.contracts.addresses import key
from returpost.errors import Unavailable

RECONNECT: Final = 2.0
PATH: Final = "/v1/block-events"
EVENTS_AT_ONCE: Final = 10_000
TIMEOUT: Final = httpx.Timeout(10.0, read=45.0)
"""The blocklist says something every 15 s."""
SSE: Final = "text/event-stream"


@dataclass(frozen=True, slots=True)
class FeedPart:
    """A part of the feed; one without events says that there is nothing new."""

    events: list[dict[str, Any]]
    """As `GET /v1/block-events` tells them; one with a `version` below that of its address or domain is old."""
    next_after: str
    """Whoever begins again begins with it."""
    more: bool = False
    """Whether there is more already."""
    reset: bool = False
    """The feed begins anew with this part: replace what you have by it and by what follows it."""


class BlockFeed:
    """Reads what became of a tenant's addresses and domains, from the first block on, across restarts of the blocklist.

    async for part in BlockFeed("https://blocklist.example", token, "demo").read(after):
        if part.reset:
            forget_all()
        for event in part.events:
            ...
        remember(part.next_after)
    """

    def __init__(self, url: str, token: str, tenant: str) -> None:
        """`url` is the blocklist's API, which the token must be allowed to check at."""
        self._url, self._tenant = url.rstrip("/"), tenant
        self._headers = {"Authorization": f"Bearer {token}"}

    async def read(self, after: str = "") -> AsyncGenerator[FeedPart, None]:
        """Yield what there is and what comes, until the reader leaves (`contextlib.aclosing`).

        Raises `InvalidSettings` when the blocklist refuses the token.
        """
        while True:
            try:
                async with aclosing(self.read_connected(after)) as parts:
                    async for part in parts:
                        after = part.next_after
                        yield part
            except Unavailable:
                await asyncio.sleep(RECONNECT)

    async def read_connected(self, after: str = "") -> AsyncGenerator[FeedPart, None]:
        """Yield the same until the blocklist is away: then it raises `Unavailable`."""
        try:
            async with httpx.AsyncClient(base_url=self._url, headers=self._headers, timeout=TIMEOUT) as client:
                more = True
                while more:
                    query: dict[str, str | int] = {"tenant": self._tenant, "after": after, "limit": EVENTS_AT_ONCE}
                    answer = await client.get(PATH, params=query)
                    await raise_for_refusal(answer)
                    part = _part(answer.content)
                    after, more = part.next_after, part.more
                    yield part
                async for part in self._pushed(client, after):
                    yield part
        except httpx.HTTPError as error:
            raise Unavailable(f"the feed of {self._tenant} broke off: {type(error).__name__}") from None
        raise Unavailable(f"the feed of {self._tenant} ended")

    async def _pushed(self, client: httpx.AsyncClient, after: str) -> AsyncIterator[FeedPart]:
        """Yield what is pushed, and a part without events whenever the blocklist says that it is still there."""
        headers = {"Accept": SSE, "Last-Event-ID": after}
        query: dict[str, str | int] = {"tenant": self._tenant, "limit": EVENTS_AT_ONCE}
        async with client.stream("GET", PATH, params=query, headers=headers) as answer:
            await raise_for_refusal(answer)
            async for line in answer.aiter_lines():
                if line.startswith("data:"):
                    part = _part(line.removeprefix("data:"))
                    after = part.next_after
                    yield part
                elif line.startswith(":"):
                    yield FeedPart([], after)


def row_of_event(event: dict[str, Any]) -> Row:
    """Return what a mirror keeps of an event."""
    name = f"@{event['domain']}" if "domain" in event else key(event["address"])
    if event["type"].endswith(".unblocked"):
        return name, event["version"], None, None, None, None
    return name, event["version"], event["cause"], event["reason"], event["exempt_streams"], event["streams"]


def _part(text: bytes | str) -> FeedPart:
    value = json.loads(text)
    return FeedPart(value["events"], value["next_after"], value["more"], value["reset"])
