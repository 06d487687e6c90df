"""API tokens: signed (HS256, RFC 7519), each for one tenant or for all, with scopes and an end.

A key lives in the settings alone; two keys at once let a key be replaced while its tokens live.
"""

import re
import time
from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any

import jwt
from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.types import ASGIApp, Receive, Scope, Send

from returpost.contracts.enums import Role
from returpost.errors import InvalidSettings
from shared.http.problems import problem

ALGORITHM = "HS256"
AUDIENCE = "returpost"
MIN_KEY = 32
"""RFC 7518 section 3.2: a key as long as the hash, at least."""
ALL_TENANTS = "*"

UNKNOWN = "token missing, unknown, expired or revoked; make one with `returpost token`"
CHALLENGE = {"WWW-Authenticate": "Bearer"}
_WITH_BODY = ("POST", "PUT", "PATCH", "DELETE")
_CALLER = "returpost.caller"
"""Key in the ASGI scope."""

NAME = re.compile(r"[^\x00-\x1f\x7f]{1,100}\Z")

OPERATE = "operate"
ADMINISTER = "administer"
SCOPES = ("send", "check", "read", "write", OPERATE, ADMINISTER)
"""send: submit results; check: ask whom to skip; read, write: see and change addresses; operate: dead letters,
retries, archive; administer: settings, users, tokens, webhooks."""
SCOPES_OF_ROLE = {
    Role.VIEWER: ("read", "check"),
    Role.MARKETER: ("read", "check", "write"),
    Role.OPERATOR: ("read", "check", OPERATE),
    Role.ADMINISTRATOR: SCOPES,
}
"""What people may do by what they are; sending systems have scopes instead."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    name: str
    tenant: str
    scopes: frozenset[str]
    token: str | None = None
    """Id of the token, of those that the actions service has issued."""

    def tenant_for(self, named: str | None) -> str:
        """Return the tenant to work for. Raises HTTP 403 for another's, 400 when a caller for all names none."""
        if self.tenant != ALL_TENANTS:
            if named not in (None, self.tenant):
                raise HTTPException(403, f"tenant: this token is for {self.tenant}")
            return self.tenant
        if named is None:
            raise HTTPException(400, "tenant: this token is for all tenants; name one, ?tenant=...")
        return named


def keys_of(setting: str) -> list[str]:
    """Split and check the setting. Raises `InvalidSettings`."""
    keys = [key.strip() for key in setting.split(",") if key.strip()]
    if not keys or any(len(key) < MIN_KEY for key in keys):
        raise InvalidSettings(f"RETURPOST_TOKEN_KEYS: one or more keys of at least {MIN_KEY} characters, by commas")
    return keys


def issue(
    key: str, *, name: str, tenant: str, scopes: tuple[str, ...], lifetime: timedelta, identity: str | None = None
) -> str:
    """Return a token, with an id where it is to be revoked by it.

    Raises `InvalidSettings` for a scope that does not exist, or a name that cannot be shown.
    """
    if not NAME.match(name):
        raise InvalidSettings("--name: 1 to 100 characters, no control characters")
    unknown = set(scopes) - set(SCOPES)
    if unknown:
        raise InvalidSettings(f"no such scope: {', '.join(sorted(unknown))}; there are {', '.join(SCOPES)}")
    claims: dict[str, Any] = {"sub": name, "tenant": tenant, "scopes": list(scopes), "aud": AUDIENCE}
    if identity is not None:
        claims["jti"] = identity
    return jwt.encode(claims | {"exp": datetime.now(UTC) + lifetime}, key, ALGORITHM)


def verify(token: str, keys: list[str], revoked: Container[object] = ()) -> Caller | None:
    """Return whom the token speaks for, or nothing when no key made it, its time is over, or it was revoked."""
    known = _read(token, tuple(keys))
    if known is None or known[1] <= time.time():
        return None
    return None if known[0].token in revoked else known[0]


@lru_cache(maxsize=1024)
def _read(token: str, keys: tuple[str, ...]) -> tuple[Caller, float] | None:
    """Return whom a token speaks for and until when: what a token says and who signed it stays as it is."""
    for key in keys:
        try:
            claims = jwt.decode(token, key, [ALGORITHM], audience=AUDIENCE, options={"require": ["exp", "sub"]})
            caller = Caller(str(claims["sub"]), str(claims["tenant"]), frozenset(claims["scopes"]), claims.get("jti"))
            return caller, float(claims["exp"])
        except (jwt.InvalidTokenError, KeyError, TypeError):
            continue
    return None


class AuthMiddleware:
    """Refuses with 401 whoever brings no good token, before a body is read: only then is it worth to say what is wrong
    with it. Paths in `app.state.open` ask for other proofs, or none.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in _WITH_BODY:
            state = scope["app"].state
            if not scope["path"].startswith(state.open):
                scheme, _, token = _shown(scope).partition(" ")
                who = verify(token.strip(), state.token_keys, state.revoked) if scheme.lower() == "bearer" else None
                if who is None:
                    await problem(401, UNKNOWN, headers=CHALLENGE)(scope, receive, send)
                    return
                scope[_CALLER] = who
        await self._app(scope, receive, send)


def _shown(scope: Scope) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"), "")


OF_ONE_TENANT: set[Callable[..., Awaitable[Caller]]] = set()
"""The dependencies that let operators of one tenant in, who see what is their tenant's."""
SCOPE_OF: dict[Callable[..., Awaitable[Caller]], str] = {}
"""The scope that each dependency made by `requires` asks for, for who wants to know what a route demands."""

_bearer = HTTPBearer(auto_error=False, description="A token made with `returpost token`")


def requires(scope: str, *, of_one_tenant: bool = False) -> Callable[..., Awaitable[Caller]]:
    """Return a FastAPI dependency that gives the caller. HTTP 401 without a valid token, 403 without the scope.

    Operating takes a token for all tenants, unless the route shows each its own (`of_one_tenant`).
    """

    async def caller(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> Caller:
        who: Caller | None = request.scope.get(_CALLER)
        if who is None and credentials:
            state = request.app.state
            who = verify(credentials.credentials, state.token_keys, state.revoked)
        if who is None:
            raise HTTPException(401, UNKNOWN, CHALLENGE)
        if scope not in who.scopes:
            raise HTTPException(403, f"scope: this token lacks {scope}")
        if scope == OPERATE and not of_one_tenant and who.tenant != ALL_TENANTS:  # queues are of all tenants
            raise HTTPException(403, "tenant: operating takes a token for all tenants, --tenant '*'")
        return who

    SCOPE_OF[caller] = scope
    if of_one_tenant:
        OF_ONE_TENANT.add(caller)
    return caller
