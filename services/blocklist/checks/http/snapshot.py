"""All blocks of a tenant, for a mirror to begin with."""

import json
from collections.abc import AsyncIterator
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from returpost.contracts.enums import BlockCause
from services.blocklist.checks import repository
from services.blocklist.checks.domains import repository as domain_repository
from shared.database.pool import Pool
from shared.http.dependencies import Checker, Tenant

PAGE = 10_000
MEDIA_TYPE = "application/x-ndjson"
_LINE = {
    "oneOf": [
        {
            "type": "object",
            "description": "The first line: when it was begun, as versions do",
            "properties": {"version": {"type": "integer"}, "tenant": {"type": "string"}, "at": {"type": "string"}},
        },
        {
            "type": "array",
            "description": "A blocked address: address, version, cause, reason, exempt streams, and the streams that"
            " skip it where not all do; `@example.com` stands for a domain, `@*.example.com` for its subdomains",
            "items": {},
            "minItems": 6,
            "maxItems": 6,
        },
        {
            "type": "object",
            "description": "The last line: how many addresses there were",
            "properties": {"count": {"type": "integer"}},
        },
    ]
}

router = APIRouter()


@router.get(
    "/blocks/snapshot",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {"schema": _LINE}}}},
)
async def snapshot(request: Request, caller: Checker, tenant: Tenant = None) -> StreamingResponse:
    """Every blocked address, a line of JSON each: address, version, cause, reason, exempt streams, skipping streams.

    Blocked domains follow: as addresses without what stands before the `@`, and with `*.` for the subdomains.

    It is read in pages, not in one moment: who reads the stream of blocks from before the request on, and keeps the
    highest version of each address, has exactly what is blocked. The first line says when it was begun, as versions
    do; the last one counts the addresses: without it, the snapshot is not whole.
    """
    owner = caller.tenant_for(tenant)
    pool: Pool = request.app.state.service.pool
    return StreamingResponse(_lines(pool, owner, request.app.state.clock()), media_type=MEDIA_TYPE)


async def _lines(pool: Pool, tenant: str, now: datetime) -> AsyncIterator[str]:
    yield _line({"version": int(now.timestamp() * 1_000_000), "tenant": tenant, "at": now.isoformat()})
    count, version, address = 0, 0, ""
    while rows := await repository.blocked_after(pool, tenant, version, address, PAGE):
        count += len(rows)
        version, address = rows[-1]["version"], rows[-1]["address"]
        yield "".join([_line(list(row)) for row in rows])
    domains = await domain_repository.rows_in_force(pool, tenant)
    count += len(domains)
    yield "".join(
        [_line([f"@{row['domain']}", row["version"], BlockCause.DOMAIN, None, None, None]) for row in domains]
    )
    yield _line({"count": count})


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
