"""Files that a visitor hands in, passed through to a service with the visitor's own token; nothing is kept here."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from services.console.api_client import Away, Refused, SignedOut
from services.console.components.shell import visitor_of

router = APIRouter()
TARGETS = {"blocks": ("blocklist", "/v1/blocks/imports"), "people": ("actions", "/v1/contacts/import")}
"""Service and route of each kind of file."""
PASSED = ("action", "kind", "dry_run", "note")
"""Parameters that are the service's."""


@router.post("/uploads/{kind}")
async def upload(request: Request, kind: str) -> Response:
    """Pass a file on, and answer what the service says. `Guard` has seen that a page of the console asks."""
    visitor = visitor_of(request.app, request)
    if visitor is None:
        return JSONResponse({}, 401)
    if kind not in TARGETS:
        return JSONResponse({"title": "unknown kind of file"}, 404)
    service, path = TARGETS[kind]
    given = {name: value for name, value in request.query_params.items() if name in PASSED}
    length = request.headers.get("content-length")
    try:
        answer = await visitor.api.services.send(
            service,
            path,
            request.stream(),
            token=visitor.api.token,
            parameters={"tenant": visitor.api.tenant} | given,
            length=length,
        )
    except Away as away:
        return JSONResponse({"service": away.service}, 503)
    except SignedOut:
        return JSONResponse({}, 401)
    except Refused as refused:
        return JSONResponse({"title": refused.title, "errors": refused.errors}, refused.status)
    return Response(answer.content, answer.status_code, media_type="application/json")
