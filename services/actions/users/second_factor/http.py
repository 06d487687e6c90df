"""HTTP: the second step of signing in, setting a second factor up, and its reset by an administrator."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

from services.actions.operations.repository.audit import AuditEntry, add_audit
from services.actions.users import attempts, domain as users, repository as user_rows
from services.actions.users.dependencies import Anybody, Tenant, attempt_of, hashing, scope_of, user_of
from services.actions.users.repository import User
from services.actions.users.second_factor import check, domain, repository
from services.actions.users.sessions import Session, open_session
from services.actions.users.token_revocation import revoke_sessions
from shared.http.auth import Caller
from shared.http.dependencies import Administrator

WRONG_CODE = "code: wrong, or used before"
NO_FACTOR = "second factor: there is none"

router = APIRouter(prefix="/v1", tags=["users"])
Code = Annotated[str, Field(max_length=100, description="Of the app, or a recovery code")]


class RequestBody(BaseModel):
    """The body of a request; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class CodeBody(RequestBody):
    challenge: Annotated[str, Field(max_length=2_000, description="As signing in answered")]
    code: Code


class PasswordBody(RequestBody):
    password: Annotated[str, Field(max_length=1_000)]


class ConfirmBody(RequestBody):
    code: Code


class RemoveBody(PasswordBody):
    code: Code


class SecondFactorState(BaseModel):
    """Whether a code is asked for at sign-in, since when, and how many recovery codes are left."""

    enabled: bool
    confirmed_at: datetime | None
    recovery_codes: int


class SecondFactorSecret(BaseModel):
    """The secret for an app; it is shown this once."""

    secret: str
    uri: str
    """What the QR code says."""


class RecoveryCodes(BaseModel):
    """Codes for the day the app is lost, each for one time; they are shown this once."""

    recovery_codes: list[str]


@router.post("/sign-in/code")
async def sign_in_with_code(request: Request, body: CodeBody) -> Session:
    """Begin a session by the code after the password. 401 when it is wrong or late, 429 after too many tries."""
    pool, now, name = request.app.state.service.pool, datetime.now(UTC), check.challenged(request, body.challenge)
    user = await user_rows.find_user(pool, name) if name else None
    if user is None:
        raise HTTPException(401, "challenge: too old, or none; sign in again")
    async with attempt_of(request, user.name, now) as offered:
        factor = await check.in_use(request, user.name)
        offered.is_right = bool(
            factor and not user.disabled and await check.take(request, user.name, factor, body.code, now)
        )
    if not offered.is_right:
        await _note(request, user, "second_factor_failed")
        raise HTTPException(401, WRONG_CODE)
    return await open_session(request, user, now)


@router.get("/me/second-factor")
async def second_factor(request: Request, caller: Anybody) -> SecondFactorState:
    """Whether the own second factor is in use."""
    user = await _user(request, caller)
    found = await check.in_use(request, user.name)
    return SecondFactorState(
        enabled=found is not None,
        confirmed_at=found and found.confirmed_at,
        recovery_codes=found.recovery_codes if found else 0,
    )


@router.post("/me/second-factor")
async def begin(request: Request, caller: Anybody, body: PasswordBody) -> SecondFactorSecret:
    """Return a new secret, which is asked for once it is confirmed. 409 when one is in use."""
    user = await _user(request, caller)
    await _check(request, user, body.password)
    secret = domain.new_secret()
    if not await repository.begin(request.app.state.service.pool, user.name, check.secrets_of(request).encrypt(secret)):
        raise HTTPException(409, "second factor: one is in use; remove it first")
    return SecondFactorSecret(secret=secret, uri=domain.uri(secret, user.name))


@router.post("/me/second-factor/confirm")
async def confirm(request: Request, caller: Anybody, body: ConfirmBody) -> RecoveryCodes:
    """Take the secret into use by a code of the app; the other sessions end. 403 when the code is wrong."""
    service, user, now = request.app.state.service, await _user(request, caller), datetime.now(UTC)
    found = await repository.find(service.pool, user.name)
    secret = check.secrets_of(request).decrypt(found.secret) if found and found.confirmed_at is None else None
    if found is None or secret is None:
        raise HTTPException(409, "second factor: begin anew")
    async with attempt_of(request, user.name, now) as offered:
        step = domain.step_of(secret, domain.plain(body.code), now, found.last_step)
        offered.is_right = step is not None
    if step is None:
        raise HTTPException(403, WRONG_CODE)
    codes = domain.recovery_codes()
    hashes = [domain.recovery_hash(user.name, code) for code in codes]
    if not await repository.confirm(service.pool, user.name, found.secret, now, step, hashes):
        raise HTTPException(409, "second factor: begin anew")
    await _note(request, user, "second_factor_set")
    await revoke_sessions(service, user.name, user.name, but=UUID(caller.token))
    return RecoveryCodes(recovery_codes=codes)


@router.post("/me/second-factor/remove", status_code=204)
async def remove(request: Request, caller: Anybody, body: RemoveBody) -> None:
    """Ask for no code any more. 403 when password or code is wrong, 404 when none was asked for."""
    user, now = await _user(request, caller), datetime.now(UTC)
    factor = await check.in_use(request, user.name)
    if factor is None:
        raise HTTPException(404, NO_FACTOR)
    await _check(request, user, body.password)
    async with attempt_of(request, user.name, now) as offered:
        offered.is_right = await check.take(request, user.name, factor, body.code, now)
    if not offered.is_right:
        raise HTTPException(403, WRONG_CODE)
    await repository.remove(request.app.state.service.pool, user.name, None)
    await _note(request, user, "second_factor_removed")


@router.delete("/users/{name}/second-factor", status_code=204)
async def reset(request: Request, caller: Administrator, name: str, tenant: Tenant = None) -> None:
    """Ask a user who has lost the app and the recovery codes for no code any more; open sessions end."""
    service, now, owner = request.app.state.service, datetime.now(UTC), scope_of(caller, tenant)
    user = await user_rows.find_user(service.pool, name) if users.NAME.match(name) else None
    if user is None or not await repository.remove(service.pool, name, owner):
        raise HTTPException(404, NO_FACTOR)
    await add_audit(service.pool, AuditEntry(user.home, now, caller.name, "second_factor_reset", 1, f"of {name}"))
    await attempts.forget(service.pool, name)
    await revoke_sessions(service, name, caller.name)


async def _user(request: Request, caller: Caller) -> User:
    user = await user_of(request, caller)
    if user is None:
        raise HTTPException(404, "user: this token belongs to no user")
    return user


async def _check(request: Request, user: User, password: str) -> None:
    async with attempt_of(request, user.name, datetime.now(UTC)) as offered:
        offered.is_right = await hashing(request).run(partial(users.is_right, password, user.password_hash))
    if not offered.is_right:
        raise HTTPException(403, "password: not your current password")


async def _note(request: Request, user: User, what: str) -> None:
    await add_audit(request.app.state.service.pool, AuditEntry(user.home, datetime.now(UTC), user.name, what, 1))
