"""Compare with a provider's suppression list."""

import json
from dataclasses import asdict
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from services.blocklist.checks.http.check import IN_MEMORY, NDJSON, sent
from services.blocklist.suppression_files.entry import Kind
from services.blocklist.suppression_files.reader import ListReader
from services.blocklist.suppression_files.reconciliation import Reconciliation
from shared.http.callers import Reader, Tenant

router = APIRouter()


@router.post("/reconcile", response_class=StreamingResponse)
async def reconcile(
    request: Request, caller: Reader, tenant: Tenant = None, kind: Kind = Kind.BOUNCE
) -> StreamingResponse:
    """Hand in a provider's list as the body, of any length; what either side lacks is answered.

    Lines of JSON: `missing` is `here` or `there`; what is missing here and was `lifted` by us is to be taken off their
    list rather than blocked. The last line counts: without it, the answer is not whole. Nothing is changed.
    """
    work = Reconciliation(request.app.state.service.pool, caller.tenant_for(tenant), request.app.state.clock())
    kept = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed when it has been sent
    try:
        async for line in work.missing_here(ListReader(kind), request.stream()):
            kept.write(_line(line))
        async for line in work.missing_there():
            kept.write(_line(line))
    except BaseException:
        kept.close()
        raise
    kept.write(_line(asdict(work.summary)))
    kept.seek(0)
    return StreamingResponse(sent(kept), media_type=NDJSON)


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, default=_text).encode() + b"\n"


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
