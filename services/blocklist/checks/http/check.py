"""Ask before a mailing whom to skip."""

import json
from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from returpost.contracts import Name
from services.blocklist.address_state.domain import MAX_ADDRESSES
from services.blocklist.checks import check as checking
from services.blocklist.checks.check import Checked
from services.blocklist.checks.streamed_check import Question, StreamedCheck, list_batches, text_batches
from shared.http.dependencies import Checker, Tenant
from shared.http.spooled_answer import SpooledAnswer

NDJSON = "application/x-ndjson"

router = APIRouter()


class CheckBody(BaseModel):
    """Addresses as anybody writes them."""

    addresses: Annotated[list[str], Field(min_length=1, max_length=MAX_ADDRESSES)]
    stream: Name | None = None
    """What kind of mail it will be; a tenant may exempt a stream from some blocks."""


_BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": CheckBody.model_json_schema()},
        "text/plain": {"schema": {"type": "string"}},
        "text/csv": {"schema": {"type": "string"}},
        NDJSON: {"schema": {"type": "string"}},
    },
}


@router.post("/check", response_model=Checked, openapi_extra={"requestBody": _BODY})
async def check(
    request: Request,
    caller: Checker,
    tenant: Tenant = None,
    stream: Annotated[Name | None, Query()] = None,
    answer: Annotated[Literal["skip", "all"], Query()] = "skip",
) -> Response:
    """Ask before a mailing whom to skip, and why.

    Up to 10,000 addresses as JSON, or a file of any length as `text/plain` (an address a line), `text/csv` or JSON
    lines. A file is answered with lines of JSON in its order: those to skip, with cause and reason, and those that are
    no address; with `answer=all` the others too. The last line counts them: without it, the answer is not whole.
    """
    owner, state = caller.tenant_for(tenant), request.app.state
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type == "application/json":
        body = CheckBody.model_validate_json(await request.body())
        checked = await checking.check(
            state.service.pool,
            owner,
            body.addresses,
            body.stream or stream,
            state.clock(),
            state.bloom_filters,
            state.domain_blocks,
        )
        return Response(checked, media_type="application/json")
    question = Question(owner, stream, state.clock(), answer == "all")
    pieces = request.stream()
    batches = text_batches(pieces) if media_type == "text/plain" else list_batches(pieces)
    with SpooledAnswer() as kept:
        summary = await StreamedCheck(
            state.service.pool, state.bloom_filters, state.domain_blocks, question, kept.write
        ).run(batches)
        kept.write(json.dumps(asdict(summary)).encode() + b"\n")
    return kept.response(NDJSON)
