"""The way past the framework for the requests of which there are thousands a second."""

import re

from fastapi import Request as HttpRequest
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from services.ingest.webhooks.http import receive_payload
from shared.http.max_body import MaxBodyMiddleware

_USUAL = re.compile(r"/webhooks/[a-z-]+/[a-z0-9][a-z0-9-]{0,62}\Z")
_UNUSUAL_HEADERS = (b"authorization", b"traceparent")


class FastPathMiddleware:
    """Hands what is posted to a webhook without anything special straight to `receive_payload`.

    Of these there are thousands a second, and what the framework does with a request costs as much as to read it. All
    others go on to the routes: those with a query, with credentials (their rate is limited), with a trace, of no
    declared length.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._answering: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_usual(scope):
            await self._app(scope, receive, send)
            return
        if self._answering is None:
            handled = ExceptionMiddleware(self._answer, scope["app"].exception_handlers)
            self._answering = MaxBodyMiddleware(handled)
        await self._answering(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        _, _, provider, tenant = scope["path"].split("/")
        answer = await receive_payload(HttpRequest(scope, receive), provider, tenant)
        await answer(scope, receive, send)


def _is_usual(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["query_string"] or scope["method"] != "POST" or not _USUAL.match(scope["path"]):
        return False
    headers = dict(scope["headers"])
    return b"content-length" in headers and headers.keys().isdisjoint(_UNUSUAL_HEADERS)
