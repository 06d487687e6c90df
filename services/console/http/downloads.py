"""Files that a service made, handed through with the visitor's own token; nothing is kept here."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse, StreamingResponse

from services.console import i18n
from services.console.auth import session
from services.console.components.shell import visitor_of

router = APIRouter()
PASSED = ("content-type", "content-disposition", "content-length")


@router.get("/downloads/{operation}")
async def download(request: Request, operation: str) -> Response:
    """The file of an export."""
    visitor = visitor_of(request.app, request)
    if visitor is None:
        return RedirectResponse("/sign-in", 303)
    api, stack = visitor.api, AsyncExitStack()
    path, parameters = f"/v1/operations/{quote(operation, safe='')}/file", {"tenant": api.tenant}
    answer = await stack.enter_async_context(
        api.services.stream("actions", path, token=api.token, parameters=parameters)
    )
    if answer.is_error:
        await stack.aclose()
        say = i18n.Texts(session.language_of(request))
        text = say.t("The file is not there: it is not made yet, or is no longer kept. Export again to get a new one.")
        return PlainTextResponse(text, answer.status_code)

    async def pieces() -> AsyncIterator[bytes]:
        async with stack:
            async for piece in answer.aiter_bytes():
                yield piece

    return StreamingResponse(
        pieces(), headers={name: answer.headers[name] for name in PASSED if name in answer.headers}
    )
