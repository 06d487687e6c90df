"""Who looks: the session is the user's own token in a cookie that scripts cannot read; the console keeps nothing.

A session lasts as long as its token (30 minutes without use, 12 hours in all); while somebody works with a page the
console asks for a new token.
"""

import base64
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit
from weakref import WeakSet

import orjson
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console import i18n
from services.console.api_client import Api, Services
from services.console.http.csp import hardened, policy

COOKIE = "returpost-session"
PROVIDER_COOKIE = "returpost-provider"
"""What is to be shown again when a provider sends the browser back."""
THEMES = ("auto", "light", "dark")
FREE = ("/sign-in", "/assets/", "/health/", "/favicon.svg")
"""What is seen without a session."""
STATIC = ("/_nicegui/", "/assets/")
SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
MAX_PAGE = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Session:
    """What a token says. It is not verified here: the services do that with every request."""

    token: str
    name: str
    tenant: str
    scopes: frozenset[str]
    expires: float
    """Unix time."""


def read(token: str | None) -> Session | None:
    """Return what a token says, or nothing when it is none or its time is over."""
    try:
        part = (token or "").split(".")[1]
        claims = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        session = Session(
            token or "", str(claims["sub"]), str(claims["tenant"]), frozenset(claims["scopes"]), float(claims["exp"])
        )
    except (IndexError, ValueError, KeyError, TypeError):
        return None
    return session if session.expires > time.time() else None


def remember(response: Response, token: str, *, secure: bool) -> None:
    """Put the token into the browser."""
    response.set_cookie(COOKIE, token, httponly=True, samesite="lax", secure=secure, path="/")


def language_of(connection: HTTPConnection) -> str:
    """Return the language that was chosen here, else the browser's."""
    chosen = connection.cookies.get("language")
    return chosen if chosen in i18n.LANGUAGES else i18n.preferred(connection.headers.get("accept-language", ""))


def theme_of(connection: HTTPConnection) -> str:
    """Return the theme that was chosen here."""
    chosen = connection.cookies.get("theme", "auto")
    return chosen if chosen in THEMES else "auto"


def is_own(headers: Mapping[str, str]) -> bool:
    """Tell whether a request comes from a page of ours (or from no page): the guard against forged requests.

    The cookie is SameSite=Lax already, so that links from a mail work; this covers the rest, WebSockets among it.
    """
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    return urlsplit(origin).netloc == headers.get("host")


class Guard:
    """Refuses forged requests, sends who has no session to sign in, and gives every answer its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        path = connection.url.path
        changes = scope["type"] == "websocket" or scope["method"] not in SAFE
        if scope["type"] == "http":
            send = _Answer(send, connection)
        if (changes or path.startswith("/_nicegui_ws/")) and not is_own(connection.headers):
            await _refuse(scope, receive, send)
        elif path.startswith((*FREE, "/_nicegui/")) or read(connection.cookies.get(COOKIE)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await _refuse(scope, receive, send)
        else:
            target = path + (f"?{connection.url.query}" if connection.url.query else "")
            await RedirectResponse(f"/sign-in?next={quote(target, safe='')}", 303)(scope, receive, send)


class _Answer:
    """Takes an answer on its way: adds the headers, and hardens it when it is a document."""

    def __init__(self, send: Send, connection: HTTPConnection) -> None:
        self._send = send
        self._connection = connection
        self._nonce = secrets.token_urlsafe(16)
        self._start: Message | None = None
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            fields = [(name, value) for name, value in message["headers"] if name != b"content-security-policy"]
            added = HEADERS | {"Content-Security-Policy": policy(self._nonce)}
            fields += [(name.lower().encode(), value.encode()) for name, value in added.items()]
            if not self._connection.url.path.startswith(STATIC):
                fields = [(name, value) for name, value in fields if name != b"cache-control"]
                fields.append((b"cache-control", b"no-store"))
            message = {**message, "headers": fields}
            if any(name == b"content-type" and value.startswith(b"text/html") for name, value in fields):
                self._start = message
                return
        elif self._start is not None:
            await self._document(message)
            return
        await self._send(message)

    async def _document(self, message: Message) -> None:
        self._body += message.get("body", b"")
        if message.get("more_body") and len(self._body) < MAX_PAGE:
            return
        start = self._start
        assert start is not None  # noqa: S101 - only documents come here
        html = hardened(
            self._body.decode(),
            nonce=self._nonce,
            language=language_of(self._connection),
            theme=theme_of(self._connection),
        ).encode()
        fields = [(name, value) for name, value in start["headers"] if name != b"content-length"]
        await self._send({**start, "headers": [*fields, (b"content-length", str(len(html)).encode())]})
        await self._send({"type": "http.response.body", "body": html})


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    await PlainTextResponse("This request does not come from a page of this console.", 403)(scope, receive, send)


class SessionRefresher:
    """Gives each page a way to the services, and a page that is open the new token of its session.

    Pages are open for hours, and a token is not: what is kept here is which token came after which, in memory.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._apis: dict[str, WeakSet[Api]] = {}

    def api(self, held: Session, tenant: str) -> Api:
        """Return the services as this session may use them."""
        made = Api(self._services, held.token, tenant)
        self._apis.setdefault(held.token, WeakSet()).add(made)
        return made

    def renewed(self, old: str, new: str) -> None:
        """Let the open pages of a session go on with its new token."""
        going_on = self._apis.pop(old, WeakSet())
        for api in going_on:
            api.token = new
        if going_on:
            self._apis.setdefault(new, WeakSet()).update(going_on)
        for token in [token for token, apis in self._apis.items() if not apis]:
            del self._apis[token]
