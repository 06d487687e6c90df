"""Bounds the body of a request."""

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.problems import problem

MAX_BODY = 32 * 1024 * 1024


class MaxBodyMiddleware:
    """Refuses a body above the limit with 413, by its declared length or while it comes in.

    Paths in `app.state.streamed` take a body of any length, if it is not one JSON value: they read it as it comes.
    """

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if scope["path"] in scope["app"].state.streamed and _is_stream(headers):
            await self._app(scope, receive, send)
            return
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._limit:
            await self._refusal(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._limit:
                raise HTTPException(413, f"body: more than {self._limit} bytes; send it in parts")
            return message

        await self._app(scope, counted, send)

    async def _refusal(self, scope: Scope, receive: Receive, send: Send) -> None:
        await problem(413, f"body: more than {self._limit} bytes; send it in parts")(scope, receive, send)


def _is_stream(headers: dict[bytes, bytes]) -> bool:
    return not headers.get(b"content-type", b"application/json").lower().startswith(b"application/json")
