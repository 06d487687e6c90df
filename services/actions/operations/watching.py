"""How far an operation is, as server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from returpost.contracts import OperationState
from services.actions.operations import states, store
from shared.database.pool import Pool

LOOK_SECONDS = 0.5
"""Between looks: whichever process does the work, the database knows."""
SILENCE = 30
"""Looks without news after which a comment keeps proxies from closing the connection."""


async def watch(pool: Pool, tenant: str, identity: str) -> AsyncIterator[str]:
    """Yield an event whenever the operation is further, until it has ended."""
    last: dict[str, Any] | None = None
    silent = 0
    while True:
        seen = await _look(pool, tenant, identity)
        if seen is None:
            return
        if seen != last:
            ended = OperationState(seen["state"]) in states.ENDED
            yield f"event: {'ended' if ended else 'progressed'}\ndata: {json.dumps(seen)}\n\n"
            if ended:
                return
            last, silent = seen, 0
        elif (silent := silent + 1) % SILENCE == 0:
            yield ": still there\n\n"
        await asyncio.sleep(LOOK_SECONDS)


async def _look(pool: Pool, tenant: str, identity: str) -> dict[str, Any] | None:
    async with pool.acquire() as connection:
        row = await connection.fetchrow(store.Q["stored"], tenant, identity)
        if row is None:
            return None
        counted = await store.progress(connection, row["no"])
    return {
        "id": identity, "state": row["state"], "rows": counted["total"], "settled": counted["settled"],
        "done": counted["done"], "result": json.loads(row["result"]), "error": row["error"],
    }  # fmt: skip
