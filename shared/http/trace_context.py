"""Takes up the trace of a caller (W3C trace context)."""

from starlette.types import ASGIApp, Receive, Scope, Send

from shared.observability.tracing import span_of_request


class TraceContextMiddleware:
    """Takes up the trace that a caller brings in its `traceparent` header (W3C trace context)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        brought = dict(scope["headers"]).get(b"traceparent") if scope["type"] == "http" else None
        if brought is None:
            await self._app(scope, receive, send)
            return
        with span_of_request(scope["path"], brought.decode("latin-1")):
            await self._app(scope, receive, send)
