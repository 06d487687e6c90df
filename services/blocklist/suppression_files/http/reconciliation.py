"""Compare with a provider's suppression list."""

import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter

from services.blocklist.checks.http.check import NDJSON
from services.blocklist.suppression_files.entry import Kind, moment
from services.blocklist.suppression_files.lines import LineSplitter
from services.blocklist.suppression_files.reader import Format, ListReader
from services.blocklist.suppression_files.reconciliation import Reconciliation, Summary
from services.blocklist.suppression_files.writer import TYPES, Block, ListWriter
from shared.http.dependencies import Reader, Tenant
from shared.http.spooled_answer import SpooledAnswer
from shared.pacing import in_pieces, paced

router = APIRouter()


@router.post(
    "/reconcile",
    response_class=StreamingResponse,
    responses={200: {"content": {NDJSON: {"schema": TypeAdapter(Summary).json_schema()}}}},
)
async def reconcile(
    request: Request, caller: Reader, tenant: Tenant = None, kind: Kind = Kind.BOUNCE
) -> StreamingResponse:
    """Hand in a provider's list as the body, of any length; what either side lacks is answered.

    Lines of JSON: `missing` is `here` or `there`; what is missing here and was `lifted` by us is to be taken off their
    list rather than blocked. The last line counts: without it, the answer is not whole. Nothing is changed.
    """
    work = Reconciliation(request.app.state.service.pool, caller.tenant_for(tenant), request.app.state.clock())
    with SpooledAnswer() as kept:
        async for line in work.missing_here(ListReader(kind), request.stream()):
            kept.write(_line(line))
        async for line in work.missing_there():
            kept.write(_line(line))
        kept.write(_line(asdict(work.summary)))
    return kept.response(NDJSON)


@router.post(
    "/reconcile/file",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def provider_file(
    request: Request,
    _: Reader,
    format: Format = Format.CSV,  # noqa: A002 - the name that callers see
) -> StreamingResponse:
    """Hand in lines that a comparison has answered; they are answered as the file that the provider takes in.

    Nothing is read or stored here. A line that is no block is refused (422) with its number.
    """
    chosen = Format.CSV if format is Format.AUTO else format
    writer = ListWriter(chosen)
    with SpooledAnswer() as kept:
        kept.write(writer.begin().encode())
        number = 1
        async for line in _lines(request.stream()):
            kept.write(writer.blocks([_block(line, number)]).encode())
            number += 1
        kept.write(writer.end().encode())
    return kept.response(TYPES.get(chosen, "text/csv; charset=utf-8"))


async def _lines(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    splitter = LineSplitter()
    async for piece in in_pieces(parts):
        async for line in paced(splitter.feed(piece)):
            yield line
    for line in splitter.end():
        yield line


def _block(line: bytes, number: int) -> Block:
    try:
        block: dict[str, Any] = json.loads(line)
        since = moment(block["since"])
        if since is None or not all(isinstance(block[name], str) for name in ("address", "cause")):
            raise ValueError
    except (ValueError, LookupError, TypeError, RecursionError):
        raise HTTPException(422, f"line {number}: not a block; expected address, cause, reason and since") from None
    return {"reason": None} | block | {"since": since}


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, default=_text).encode() + b"\n"


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
