"""HTTP: signing in with a password, and the administration of users and tokens."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, HTTPException, Request, Response
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, Field

from returpost.contracts import Name
from returpost.contracts.enums import Role
from returpost.errors import InvalidMessage
from services.actions.operations.repository.audit import AuditEntry, add_audit
from services.actions.users import attempts, domain, repository
from services.actions.users.dependencies import Anybody, Tenant, attempt_of, hashing, scope_of, user_of
from services.actions.users.repository import Language, Token
from services.actions.users.second_factor import check
from services.actions.users.sessions import Session, open_session, renew_session, signing_key
from services.actions.users.token_revocation import revoke_own_session, revoke_sessions, revoke_token
from shared.http.auth import ALL_TENANTS, OPERATE, SCOPES_OF_ROLE, Caller, issue
from shared.http.dependencies import Administrator
from shared.http.pagination import Cursor, Limit, Page, decode_cursor, decode_time, encode_cursor

MAX_SIGN_IN = 32 * 1024
"""Bytes of what somebody sends who is nobody yet."""
SIGN_INS = Counter("returpost_sign_ins_total", "Passwords that were offered", ["outcome"])
"""outcome: right, wrong."""
WRONG = "name or password is wrong"
NO_USER = "user: this token belongs to no user"
SESSION_ENDED = "the session has ended; sign in again"
OWN_ACCESS = "cannot remove your own administrator access; another administrator can"

router = APIRouter(prefix="/v1", tags=["users"])
Password = Annotated[str, Field(max_length=1000)]


class RequestBody(BaseModel):
    """The body of a request; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class SignInBody(RequestBody):
    name: Annotated[str, Field(max_length=200)]
    password: Password


class NewUserBody(RequestBody):
    name: Annotated[str, Field(max_length=200)]
    role: Role
    password: Password | None = None
    home: Name | None = None
    language: Language | None = None


class UserChangeBody(RequestBody):
    role: Role | None = None
    password: Password | None = None
    disabled: bool | None = None


class OwnChangeBody(RequestBody):
    language: Language | None = None
    password: Password | None = None
    old_password: Password = ""


class NewTokenBody(RequestBody):
    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[str], Field(min_length=1, max_length=10)]
    days: Annotated[int, Field(ge=1, le=730)] = 90


class Identity(BaseModel):
    """Who asks: a user, or the bearer of a token, which has no role, home or language."""

    name: str
    tenant: str
    scopes: list[str]
    role: Role | None
    home: str | None
    language: Language | None


class UserItem(BaseModel):
    """A user in a list."""

    name: str
    tenant: str
    home: str
    role: Role
    language: Language | None
    disabled: bool
    created_at: datetime
    created_by: str
    has_password: bool
    has_second_factor: bool


class OwnSession(BaseModel):
    """A session of one's own."""

    id: UUID
    issued_at: datetime
    expires_at: datetime
    current: bool
    """Whether it is the one that asks."""


class CreatedUser(BaseModel):
    """The name of a new user, as it is stored."""

    name: str


class TokenItem(BaseModel):
    """A token or a session in a list, never the signed token itself."""

    id: UUID
    kind: Literal["session", "token"]
    tenant: str
    name: str
    scopes: list[str]
    issued_by: str
    issued_at: datetime
    expires_at: datetime


class CreatedToken(BaseModel):
    """A new token; it is shown this once."""

    id: UUID
    token: str
    expires_at: datetime


class CodeWanted(BaseModel):
    """The password is right, and the user has a second factor: `POST /v1/sign-in/code` takes both."""

    challenge: str


@router.post("/sign-in", responses={202: {"model": CodeWanted, "description": "A code is asked for as well"}})
async def sign_in(request: Request, response: Response, body: SignInBody) -> Session | CodeWanted:
    """Begin a session by name and password. 202 for a user with a second factor, 401 when they are wrong, 429 after
    too many tries.
    """
    pool, now, name = request.app.state.service.pool, datetime.now(UTC), domain.folded(body.name)
    user = await repository.find_user(pool, name) if domain.NAME.match(name) else None
    known = user.password_hash if user else None
    async with attempt_of(request, name, now) as offered:
        offered.is_right = await hashing(request).run(partial(domain.is_right, body.password, known)) and not _is_out(
            user
        )
        factor = await check.in_use(request, name) if offered.is_right else None
        offered.is_half = factor is not None
    SIGN_INS.labels("right" if offered.is_right else "wrong").inc()
    if user is None:
        raise HTTPException(401, WRONG)
    if not offered.is_right:
        await add_audit(pool, AuditEntry(user.home, now, user.name, "sign_in_failed", 1))
        raise HTTPException(401, WRONG)
    if renewed := await hashing(request).run(partial(domain.rehashed, body.password, str(known))):
        await repository.replace_hash(pool, name, str(known), renewed)
    if factor is not None:
        response.status_code = 202
        return CodeWanted(challenge=check.challenge_for(request, name))
    return await open_session(request, user, now)


@router.post("/sign-in/renewal")
async def renew(request: Request, caller: Anybody) -> Session:
    """Renew a session; the new token has the role that the user has now. 401 when it has ended."""
    pool = request.app.state.service.pool
    token = await repository.find_token(pool, UUID(caller.token)) if caller.token else None
    user = await repository.find_user(pool, caller.name)
    if token is None or token.kind != "session" or token.revoked_at or user is None or user.disabled:
        raise HTTPException(401, SESSION_ENDED)
    session = await renew_session(request, user, token, datetime.now(UTC))
    if session is None:
        raise HTTPException(401, SESSION_ENDED)
    return session


@router.post("/sign-out", status_code=204)
async def sign_out(request: Request, caller: Anybody) -> None:
    """End the session of this token."""
    if caller.token:
        await revoke_token(request.app.state.service, UUID(caller.token), None, caller.name)


@router.get("/me")
async def me(request: Request, caller: Anybody) -> Identity:
    """Who asks: as a user, or as the bearer of a token."""
    user = await user_of(request, caller)
    return Identity(
        name=caller.name,
        tenant=caller.tenant,
        scopes=sorted(caller.scopes),
        role=user and user.role,
        home=user and user.home,
        language=user and user.language,
    )


@router.put("/me", status_code=204)
async def change_me(request: Request, caller: Anybody, body: OwnChangeBody) -> None:
    """Change the own language or password. A new password ends the other sessions. 429 after too many wrong ones."""
    service, user, now = request.app.state.service, await user_of(request, caller), datetime.now(UTC)
    if user is None:
        raise HTTPException(404, NO_USER)
    if body.password is not None:
        async with attempt_of(request, user.name, now) as offered:
            offered.is_right = await hashing(request).run(
                partial(domain.is_right, body.old_password, user.password_hash)
            )
        if not offered.is_right:
            await add_audit(service.pool, AuditEntry(user.home, now, user.name, "old_password_wrong", 1))
            raise HTTPException(403, "old_password: not your current password")
    password_hash = await _hash(request, body.password, user.name, user.home)
    await repository.change_user(service.pool, user.name, None, password_hash=password_hash, language=body.language)
    if body.password is not None:
        await add_audit(service.pool, AuditEntry(user.home, now, user.name, "password_changed", 1))
        await revoke_sessions(service, user.name, user.name, but=UUID(caller.token))


@router.get("/me/sessions")
async def my_sessions(request: Request, caller: Anybody) -> list[OwnSession]:
    """The own sessions that go on, newest first, up to 100."""
    user = await user_of(request, caller)
    if user is None:
        raise HTTPException(404, NO_USER)
    rows = await repository.sessions_of(request.app.state.service.pool, user.name, datetime.now(UTC))
    return [OwnSession(**row, current=str(row["id"]) == caller.token) for row in rows]


@router.delete("/me/sessions/{identity}", status_code=204)
async def end_my_session(request: Request, caller: Anybody, identity: UUID) -> None:
    """End a session of one's own. 404 when it is not one, or has ended."""
    user = await user_of(request, caller)
    if user is None or not await revoke_own_session(request.app.state.service, identity, user.name):
        raise HTTPException(404, f"session: {identity} is not one of yours, or has ended")


@router.get("/users")
async def users(
    request: Request, caller: Administrator, tenant: Tenant = None, cursor: Cursor = None, limit: Limit = 100
) -> Page[UserItem]:
    """A page of the users of a tenant by name; without one, and with a token for all tenants: of all."""
    (after,) = decode_cursor(cursor, str) if cursor else (None,)
    pool = request.app.state.service.pool
    rows = await repository.page_of_users(pool, scope_of(caller, tenant), None if after is None else str(after), limit)
    last = encode_cursor(rows[-1]["name"]) if len(rows) == limit else None
    return Page[UserItem].model_validate({"items": rows, "next_cursor": last})


@router.post("/users", status_code=201)
async def add_user(request: Request, caller: Administrator, body: NewUserBody, tenant: Tenant = None) -> CreatedUser:
    """Create a user. 409 when the name is taken."""
    owner = scope_of(caller, tenant) or ALL_TENANTS
    _check_role(caller, body.role, owner)
    home = body.home or (owner if owner != ALL_TENANTS else "demo")
    if owner not in (ALL_TENANTS, home):
        raise HTTPException(422, "home: another tenant's")
    user = repository.NewUser(
        name=domain.name_of(body.name),
        tenant=owner,
        home=home,
        role=body.role,
        password_hash=await _hash(request, body.password, body.name, home),
        language=body.language,
        created_at=datetime.now(UTC),
        created_by=caller.name,
    )
    if not await repository.add_user(request.app.state.service.pool, user):
        raise HTTPException(409, f"name: {user.name} is taken")
    return CreatedUser(name=user.name)


@router.patch("/users/{name}", status_code=204)
async def change_user(
    request: Request, caller: Administrator, name: str, body: UserChangeBody, tenant: Tenant = None
) -> None:
    """Change role or password of a user, or disable it; open sessions end with each of these."""
    if name == caller.name and (body.disabled or body.role not in (None, Role.ADMINISTRATOR)):
        raise HTTPException(409, OWN_ACCESS)
    pool, owner = request.app.state.service.pool, scope_of(caller, tenant)
    user = await repository.find_user(pool, name)
    if user is None or owner not in (None, user.tenant):
        raise HTTPException(404, f"user: {name} is not known")
    for role in (user.role, body.role or user.role):
        _check_role(caller, role, user.tenant)
    password_hash = await _hash(request, body.password, name, user.home)
    if not await repository.change_user(
        pool, name, owner, role=body.role, disabled=body.disabled, password_hash=password_hash
    ):
        raise HTTPException(404, f"user: {name} is not known")
    if body.password:
        await attempts.forget(pool, name)
    if body.disabled or body.password or body.role:
        await revoke_sessions(request.app.state.service, name, caller.name)


@router.delete("/users/{name}", status_code=204)
async def remove_user(request: Request, caller: Administrator, name: str, tenant: Tenant = None) -> None:
    """Remove a user; open sessions end."""
    if name == caller.name:
        raise HTTPException(409, OWN_ACCESS)
    if not await repository.remove_user(request.app.state.service.pool, name, scope_of(caller, tenant)):
        raise HTTPException(404, f"user: {name} is not known")
    await revoke_sessions(request.app.state.service, name, caller.name)


@router.get("/tokens")
async def tokens(
    request: Request, caller: Administrator, tenant: Tenant = None, cursor: Cursor = None, limit: Limit = 100
) -> Page[TokenItem]:
    """A page of the tokens and sessions that are valid, newest first, never the signed tokens themselves."""
    after = None
    if cursor is not None:
        issued_at, identity = decode_cursor(cursor, str, str)
        after = (decode_time(issued_at), _uuid(identity))
    pool, now = request.app.state.service.pool, datetime.now(UTC)
    rows = await repository.page_of_tokens(pool, scope_of(caller, tenant), now, after, limit)
    last = encode_cursor(rows[-1]["issued_at"].isoformat(), str(rows[-1]["id"])) if len(rows) == limit else None
    return Page[TokenItem].model_validate({"items": rows, "next_cursor": last})


@router.post("/tokens", status_code=201)
async def add_token(request: Request, caller: Administrator, body: NewTokenBody, tenant: Tenant = None) -> CreatedToken:
    """Issue a token for a system. It is shown this once."""
    owner = scope_of(caller, tenant) or ALL_TENANTS
    if beyond := set(body.scopes) - caller.scopes:
        raise HTTPException(403, f"scopes: you do not have {', '.join(sorted(beyond))} yourself")
    identity, now, life = uuid4(), datetime.now(UTC), timedelta(days=body.days)
    scopes = tuple(dict.fromkeys(body.scopes))
    token = issue(
        signing_key(request), name=body.name, tenant=owner, scopes=scopes, lifetime=life, identity=str(identity)
    )
    stored = Token(identity, "token", owner, body.name, scopes, caller.name, now, now + life)
    await repository.add_token(request.app.state.service.pool, stored)
    return CreatedToken(id=identity, token=token, expires_at=now + life)


@router.delete("/tokens/{identity}", status_code=204)
async def delete_token(request: Request, caller: Administrator, identity: UUID, tenant: Tenant = None) -> Response:
    """Revoke a token or end a session. 404 when it is not known, or revoked already."""
    if not await revoke_token(request.app.state.service, identity, scope_of(caller, tenant), caller.name):
        raise HTTPException(404, f"token: {identity} is not known, or revoked already")
    return Response(status_code=204)


def _uuid(part: object) -> UUID:
    try:
        return UUID(str(part))
    except ValueError:
        raise InvalidMessage("cursor: invalid; give the `next_cursor` of a page as it is") from None


def _check_role(caller: Caller, role: Role, tenant: str) -> None:
    """Refuse (403) to deal with a user who may do what the caller may not. Nobody operates for one tenant alone."""
    idle = set() if tenant == ALL_TENANTS else {OPERATE}
    if beyond := set(SCOPES_OF_ROLE[role]) - caller.scopes - idle:
        raise HTTPException(403, f"role: you do not have {', '.join(sorted(beyond))} yourself")


def _is_out(user: repository.User | None) -> bool:
    return user is None or user.disabled


async def _hash(request: Request, password: str | None, *known: str) -> str | None:
    return None if password is None else await hashing(request).run(partial(domain.hashed, password, known))
