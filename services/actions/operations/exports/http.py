"""HTTP: the file of an export."""

import zlib
from collections.abc import AsyncIterator
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from returpost.contracts import Id, Operation, OperationState
from services.actions.operations.exports.repository import Run, read_piece
from services.actions.operations.repository import operations
from shared.http.dependencies import Reader, Tenant

router = APIRouter(prefix="/v1/operations", tags=["operations"])


@router.get("/{operation_id}/file", response_class=StreamingResponse)
async def file(request: Request, caller: Reader, operation_id: Id, tenant: Tenant = None) -> Response:
    """Download the file of an export. 409 while it is being written, 410 when it is no longer kept."""
    pool = request.app.state.service.pool
    found = await operations.find(pool, caller.tenant_for(tenant), operation_id)
    if found is None or found.operation.operation is not Operation.EXPORT:
        raise HTTPException(404, f"operation: {operation_id} is not known, or is no export")
    operation, result = found.operation, found.operation.result
    if "removed" in result:
        raise HTTPException(410, f"the file was removed: {result['removed']}")
    if operation.state is not OperationState.FINISHED or "file" not in result:
        raise HTTPException(409, f"the export is {operation.state.value}: there is no file yet")
    kept = result["file"]
    run = Run(operation.no, UUID(kept["run"]))

    async def pieces() -> AsyncIterator[bytes]:
        for piece in range(kept["pieces"]):
            data = await read_piece(pool, run, piece)
            yield zlib.decompress(data) if kept["compressed"] else data

    plain, encoded = kept["name"].encode("ascii", "replace").decode().replace("?", "_"), quote(kept["name"], safe="")
    headers = {
        "Content-Length": str(kept["size"]),
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}",
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(pieces(), media_type=kept["type"], headers=headers)
