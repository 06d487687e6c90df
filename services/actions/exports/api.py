"""HTTP: the file of an export."""

import json
import zlib
from collections.abc import AsyncIterator
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse

from returpost.contracts import Id, Name, OperationState
from services.actions.exports.process import Q
from services.actions.operations import store
from shared.http.auth import Caller, requires

router = APIRouter(prefix="/v1/operations", tags=["operations"])


@router.get("/{operation_id}/file", response_class=StreamingResponse)
async def file(
    request: Request,
    caller: Annotated[Caller, Depends(requires("read"))],
    operation_id: Id,
    tenant: Annotated[Name | None, Query()] = None,
) -> Response:
    """Download the file of an export. 409 while it is being made, 410 when it is no longer kept."""
    pool = request.app.state.service.pool
    row = await pool.fetchrow(store.Q["stored"], caller.tenant_for(tenant), operation_id)
    if row is None or row["operation"] != "export":
        raise HTTPException(404, f"operation: {operation_id} is not known, or is no export")
    result = json.loads(row["result"])
    if "removed" in result:
        raise HTTPException(410, f"the file was removed: {result['removed']}")
    if row["state"] != OperationState.FINISHED or "file" not in result:
        raise HTTPException(409, f"the export is {row['state']}: there is no file yet")
    kept = result["file"]

    async def pieces() -> AsyncIterator[bytes]:
        for piece in range(kept["pieces"]):
            data = await pool.fetchval(Q["piece"], row["no"], UUID(kept["run"]), piece)
            yield zlib.decompress(data) if kept["compressed"] else data

    plain, encoded = kept["name"].encode("ascii", "replace").decode().replace("?", "_"), quote(kept["name"], safe="")
    headers = {
        "Content-Length": str(kept["size"]),
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}",
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(pieces(), media_type=kept["type"], headers=headers)
