"""HTTP: a drained queue as a file, and from a file back into its queue."""

import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from returpost.amqp.publisher import Message
from returpost.contracts import Text, Title
from returpost.contracts.routing import REPLAY
from services.replay.domain.queue_file import CHECK, TOTAL, signed, verified
from services.replay.http.dependencies import Why
from services.replay.repository import audit, dead_letters
from services.replay.repository.rows import DrainedRow
from shared.database.pool import Pool
from shared.http.dependencies import Database, Operator
from shared.messaging.dead_letters import ATTEMPT, EXCHANGE, ROUTING_KEY, USER

PAGE = 200
_WRITTEN = ("queue", "exchange", "routing_key", "published_by", "attempt", "content_type", "headers")
MAX_LINES = 500

router = APIRouter(prefix="/v1", tags=["queue files"])


class LoadRequest(BaseModel):
    """Some lines of a file, in their order."""

    model_config = ConfigDict(extra="forbid")

    after: Text = Field(default="", description="`check` of the line before; empty before the first")
    lines: list[dict[str, JsonValue]] = Field(min_length=1, max_length=MAX_LINES)
    why: Title = Field(min_length=3, description="Why; it is kept in the audit")
    dry_run: bool = Field(default=False, description="Only verify the lines")


class Loaded(BaseModel):
    """What was loaded, or would be."""

    messages: int
    check: str
    """Of the last line: `after` of the next request."""


@router.get("/queue-file", response_class=StreamingResponse)
async def write_file(
    request: Request,
    pool: Database,
    caller: Operator,
    why: Why,
    queue: Text,
    fingerprint: Annotated[Text, Query(description="As draining the queue returned it")],
) -> StreamingResponse:
    """Return what was drained from a queue as JSON lines in its order, each with a check; the last says how many."""
    await audit.insert(
        pool, "export", queue, who=caller.name, tenant=None, why=why, details={"fingerprint": fingerprint}
    )
    key = request.app.state.token_keys[0]
    return StreamingResponse(_lines(pool, queue, fingerprint, key), media_type="application/x-ndjson")


async def _lines(pool: Pool, queue: str, fingerprint: str, key: str) -> AsyncIterator[str]:
    check, number, after = "", 0, None
    while True:
        rows = await dead_letters.drained(pool, queue, fingerprint, after, PAGE)
        made = []
        for row in rows:
            number += 1
            line = signed({"n": number, **_written(row)}, key, check)
            check = line[CHECK]
            made.append(f"{json.dumps(line)}\n")
        if made:
            yield "".join(made)
        if len(rows) < PAGE:
            break
        after = (rows[-1].failed_at, rows[-1].number)
    yield f"{json.dumps(signed({TOTAL: number}, key, check))}\n"


def _written(row: DrainedRow) -> dict[str, Any]:
    written = {name: getattr(row, name) for name in _WRITTEN}
    return written | {"body": b64encode(row.body).decode()}


@router.post("/queue-file")
async def load_file(request: Request, pool: Database, caller: Operator, wanted: LoadRequest) -> Loaded:
    """Put messages of a file back into the queue that they were drained from, in their order.

    HTTP 422 when a line is not as it was written. What was loaded before has no effect again.
    """
    lines = list(verified(wanted.lines, request.app.state.token_keys, wanted.after))
    messages = [_message(line) for line in lines]
    if messages and not wanted.dry_run:
        if returned := await request.app.state.service.publisher.publish(messages):
            raise HTTPException(409, f"there is no queue {returned[0].routing_key}")
        queues = sorted({message.routing_key for message in messages})
        await audit.insert(
            pool, "load", ", ".join(queues), who=caller.name, tenant=None, why=wanted.why,
            details={"messages": len(messages)},
        )  # fmt: skip
    return Loaded(messages=len(messages), check=str(wanted.lines[-1][CHECK]))


def _message(line: Any) -> Message:
    """A line is as we wrote it: nothing of it needs to be looked at."""
    headers: dict[str, Any] = {**line["headers"], ATTEMPT: line["attempt"]}
    headers |= {EXCHANGE: line["exchange"], ROUTING_KEY: line["routing_key"], USER: line["published_by"]}
    return Message(REPLAY, line["queue"], b64decode(line["body"]), line["content_type"], headers)
