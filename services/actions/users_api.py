"""HTTP: signing in, and what administrators do with users and tokens."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from returpost.contracts import Name
from returpost.contracts.enums import Role
from services.actions import accounts
from services.actions.revoking import Q, revoke
from shared.http.auth import ADMINISTER, ALL_TENANTS, SCOPES_OF_ROLE, Caller, issue, requires

SESSION_LIFE = timedelta(minutes=30)
"""Of a session's token; the console asks for a new one while somebody works with it."""
LONGEST_SESSION = timedelta(hours=12)
"""After which a user signs in again, come what may."""
HASHES_AT_ONCE = 2
"""Each takes 64 MiB and a processor."""

router = APIRouter(prefix="/v1", tags=["users"])
Anybody = Annotated[Caller, Depends(requires("read"))]
Administrator = Annotated[Caller, Depends(requires(ADMINISTER))]
Tenant = Annotated[Name | Literal["*"] | None, Query()]
_hashing = asyncio.Semaphore(HASHES_AT_ONCE)


class Body(BaseModel):
    """A request's body."""

    model_config = ConfigDict(extra="forbid")


class SignIn(Body):
    name: Annotated[str, Field(max_length=200)]
    password: Annotated[str, Field(max_length=1000)]


class NewUser(Body):
    name: Annotated[str, Field(max_length=200)]
    role: Role
    password: Annotated[str, Field(max_length=1000)] | None = None
    home: Name | None = None
    language: Literal["nb", "en"] | None = None


class UserChange(Body):
    role: Role | None = None
    password: Annotated[str, Field(max_length=1000)] | None = None
    disabled: bool | None = None


class OwnChange(Body):
    language: Literal["nb", "en"] | None = None
    password: Annotated[str, Field(max_length=1000)] | None = None
    old_password: Annotated[str, Field(max_length=1000)] = ""


class NewToken(Body):
    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[str], Field(min_length=1, max_length=10)]
    days: Annotated[int, Field(ge=1, le=730)] = 90


@router.post("/sign-in")
async def sign_in(request: Request, body: SignIn) -> dict[str, Any]:
    """Give a session's token for a name and a password. 401 when they do not fit, 429 after too many tries."""
    pool, now, name = request.app.state.service.pool, datetime.now(UTC), body.name.strip().lower()
    user = await pool.fetchrow(Q["user"], name)
    if user and (pause := accounts.wait(user["failures"], user["failed_at"], now)):
        seconds = str(int(pause.total_seconds()) + 1)
        raise HTTPException(429, "too many wrong passwords; wait a while", {"Retry-After": seconds})
    known = user["password_hash"] if user else None
    async with _hashing:
        right = await asyncio.to_thread(accounts.is_right, body.password, known)
    if not right or user is None or user["disabled"]:
        await pool.execute(Q["note_failure"], name, now)
        raise HTTPException(401, "name or password is wrong")
    await pool.execute(Q["note_success"], name, await asyncio.to_thread(accounts.rehashed, body.password, str(known)))
    return await open_session(request, user, now)


async def open_session(request: Request, user: Any, now: datetime) -> dict[str, Any]:
    """Begin a session of a user who has proved who it is, and return its token."""
    identity, scopes = uuid4(), SCOPES_OF_ROLE[Role(user["role"])]
    values = (identity, "session", user["tenant"], user["name"], list(scopes), user["name"], now, now + SESSION_LIFE)
    pool = request.app.state.service.pool
    await pool.execute(Q["add_token"], *values)
    await pool.execute(Q["forget_tokens"], now - timedelta(days=90))
    return _session(request, user, identity, now + SESSION_LIFE)


@router.post("/sign-in/renewal")
async def renew(request: Request, caller: Anybody) -> dict[str, Any]:
    """Give a new token for a session that goes on, with the role that the user has now. 401 when it has ended."""
    pool, now = request.app.state.service.pool, datetime.now(UTC)
    held = await pool.fetchrow(Q["token"], UUID(caller.token)) if caller.token else None
    user = await pool.fetchrow(Q["user"], caller.name)
    if held is None or held["kind"] != "session" or held["revoked_at"] or user is None or user["disabled"]:
        raise HTTPException(401, "the session has ended; sign in again")
    end = min(now + SESSION_LIFE, held["issued_at"] + LONGEST_SESSION)
    if end <= now:
        raise HTTPException(401, "the session has ended; sign in again")
    await pool.execute(Q["extend_token"], held["id"], end, list(SCOPES_OF_ROLE[Role(user["role"])]))
    return _session(request, user, held["id"], end)


@router.post("/sign-out", status_code=204)
async def sign_out(request: Request, caller: Anybody) -> None:
    """End the session of this token."""
    if caller.token:
        values = (UUID(caller.token), None, datetime.now(UTC), caller.name)
        await revoke(request.app.state.service, "revoke_token", *values)


@router.get("/me")
async def me(request: Request, caller: Anybody) -> dict[str, Any]:
    """Who asks: as a user, or as the bearer of a token."""
    user = await request.app.state.service.pool.fetchrow(Q["user"], caller.name) if caller.token else None
    found = {"name": caller.name, "tenant": caller.tenant, "scopes": sorted(caller.scopes)}
    own = ("role", "home", "language")
    return found | {name: user[name] if user else None for name in own}


@router.put("/me", status_code=204)
async def change_me(request: Request, caller: Anybody, body: OwnChange) -> None:
    """Change the own language or password."""
    pool = request.app.state.service.pool
    user = await pool.fetchrow(Q["user"], caller.name) if caller.token else None
    if user is None:
        raise HTTPException(404, "user: this token belongs to no user")
    if body.password is not None:
        async with _hashing:
            right = await asyncio.to_thread(accounts.is_right, body.old_password, user["password_hash"])
        if not right:
            raise HTTPException(403, "old_password: not the password that you have now")
    await pool.execute(Q["change_user"], user["name"], None, None, None, await _hash(body.password), body.language)


@router.get("/users")
async def users(request: Request, caller: Administrator, tenant: Tenant = None) -> list[dict[str, Any]]:
    """The users of a tenant; without one, and with a token for all tenants: all."""
    rows = await request.app.state.service.pool.fetch(Q["list_users"], _whose(caller, tenant))
    return [dict(row) for row in rows]


@router.post("/users", status_code=201)
async def add_user(request: Request, caller: Administrator, body: NewUser, tenant: Tenant = None) -> dict[str, str]:
    """Make a user. 409 when the name is taken."""
    owner = _whose(caller, tenant) or ALL_TENANTS
    home = body.home or (owner if owner != ALL_TENANTS else "demo")
    if owner not in (ALL_TENANTS, home):
        raise HTTPException(422, "home: another tenant's")
    name, now = accounts.name_of(body.name), datetime.now(UTC)
    values = (name, owner, home, body.role, await _hash(body.password), body.language, now, caller.name)
    if await request.app.state.service.pool.fetchval(Q["add_user"], *values) is None:
        raise HTTPException(409, f"name: {name} is taken")
    return {"name": name}


@router.patch("/users/{name}", status_code=204)
async def change_user(
    request: Request, caller: Administrator, name: str, body: UserChange, tenant: Tenant = None
) -> None:
    """Change a user's role or password, or shut the user out; open sessions end with either."""
    if name == caller.name and (body.disabled or body.role not in (None, Role.ADMINISTRATOR)):
        raise HTTPException(409, "you would shut yourself out; let another administrator do it")
    pool, now = request.app.state.service.pool, datetime.now(UTC)
    values = (name, _whose(caller, tenant), body.role, body.disabled, await _hash(body.password), None)
    if await pool.fetchval(Q["change_user"], *values) is None:
        raise HTTPException(404, f"user: {name} is not known")
    if body.disabled or body.password or body.role:
        await revoke(request.app.state.service, "revoke_sessions", name, now, caller.name)


@router.delete("/users/{name}", status_code=204)
async def remove_user(request: Request, caller: Administrator, name: str, tenant: Tenant = None) -> None:
    """Remove a user; open sessions end."""
    if name == caller.name:
        raise HTTPException(409, "you would shut yourself out; let another administrator do it")
    pool = request.app.state.service.pool
    if await pool.fetchval(Q["remove_user"], name, _whose(caller, tenant)) is None:
        raise HTTPException(404, f"user: {name} is not known")
    await revoke(request.app.state.service, "revoke_sessions", name, datetime.now(UTC), caller.name)


@router.get("/tokens")
async def tokens(request: Request, caller: Administrator, tenant: Tenant = None) -> list[dict[str, Any]]:
    """Tokens that were issued here and sessions, as far as they are good, newest first. Never the tokens themselves."""
    values = (_whose(caller, tenant), datetime.now(UTC))
    return [dict(row) for row in await request.app.state.service.pool.fetch(Q["list_tokens"], *values)]


@router.post("/tokens", status_code=201)
async def add_token(request: Request, caller: Administrator, body: NewToken, tenant: Tenant = None) -> dict[str, Any]:
    """Issue a token for a system. It is shown this once."""
    owner = _whose(caller, tenant) or ALL_TENANTS
    if beyond := set(body.scopes) - caller.scopes:
        raise HTTPException(403, f"scopes: you do not have {', '.join(sorted(beyond))} yourself")
    identity, now, life = uuid4(), datetime.now(UTC), timedelta(days=body.days)
    scopes = tuple(dict.fromkeys(body.scopes))
    token = issue(_key(request), name=body.name, tenant=owner, scopes=scopes, lifetime=life, identity=str(identity))
    values = (identity, "token", owner, body.name, list(scopes), caller.name, now, now + life)
    await request.app.state.service.pool.execute(Q["add_token"], *values)
    return {"id": identity, "token": token, "expires_at": now + life}


@router.delete("/tokens/{identity}", status_code=204)
async def revoke_token(request: Request, caller: Administrator, identity: UUID, tenant: Tenant = None) -> Response:
    """Revoke a token or end a session. 404 when it is not known, or over."""
    values = (identity, _whose(caller, tenant), datetime.now(UTC), caller.name)
    if not await revoke(request.app.state.service, "revoke_token", *values):
        raise HTTPException(404, f"token: {identity} is not known, or over")
    return Response(status_code=204)


def _whose(caller: Caller, tenant: str | None) -> str | None:
    """Return whose users are meant; nothing: those of all."""
    if caller.tenant == ALL_TENANTS:
        return tenant
    return caller.tenant_for(tenant)


def _session(request: Request, user: Any, identity: UUID, end: datetime) -> dict[str, Any]:
    scopes, life = SCOPES_OF_ROLE[Role(user["role"])], end - datetime.now(UTC)
    token = issue(
        _key(request), name=user["name"], tenant=user["tenant"], scopes=scopes, lifetime=life, identity=str(identity)
    )
    told = {name: user[name] for name in ("name", "tenant", "home", "role", "language")}
    return told | {"token": token, "expires_at": end, "scopes": list(scopes)}


def _key(request: Request) -> str:
    return str(request.app.state.token_keys[0])


async def _hash(password: str | None) -> str | None:
    if password is None:
        return None
    async with _hashing:
        return await asyncio.to_thread(accounts.hashed, password)
