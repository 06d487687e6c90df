"""Progress of an operation as server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from services.actions.operations.domain import ENDED
from services.actions.operations.repository import operations
from shared.database.pool import Pool

POLL_SECONDS = 0.5
"""Whichever process does the work, the database knows."""
KEEP_ALIVE_POLLS = 30
"""Polls without news after which a comment keeps proxies from closing the connection."""


async def progress_events(pool: Pool, tenant: str, identity: str) -> AsyncIterator[str]:
    """Yield an event whenever the operation has progressed, until it has ended."""
    last: dict[str, Any] | None = None
    silent = 0
    while True:
        seen, ended = await _look(pool, tenant, identity)
        if seen is None:
            return
        if seen != last:
            yield f"event: {'ended' if ended else 'progressed'}\ndata: {json.dumps(seen)}\n\n"
            if ended:
                return
            last, silent = seen, 0
        elif (silent := silent + 1) % KEEP_ALIVE_POLLS == 0:
            yield ": keep-alive\n\n"
        await asyncio.sleep(POLL_SECONDS)


async def _look(pool: Pool, tenant: str, identity: str) -> tuple[dict[str, Any] | None, bool]:
    """Return what an operation is now, nothing when it is unknown; and whether it has ended."""
    async with pool.acquire() as connection:
        found = await operations.find(connection, tenant, identity)
        if found is None:
            return None, True
        operation = found.operation
        counted = await operations.progress(connection, operation.no)
    seen = {
        "id": identity, "state": operation.state, "rows": counted.total, "settled": counted.settled,
        "done": counted.done, "result": operation.result, "error": found.error,
    }  # fmt: skip
    return seen, operation.state in ENDED
