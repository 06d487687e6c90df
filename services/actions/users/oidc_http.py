"""HTTP: signing in at the OpenID Connect provider that is configured, in two steps."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, Field

from services.actions.users import oidc, repository
from services.actions.users.http import RequestBody
from services.actions.users.sessions import Session, open_session

router = APIRouter(prefix="/v1/sign-in/provider", tags=["users"])
Part = Annotated[str, Field(min_length=1, max_length=4_000)]


class BeginBody(RequestBody):
    redirect_uri: Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=1_000)]


class FinishBody(BeginBody):
    code: Part
    nonce: Part
    verifier: Part


class ProviderName(BaseModel):
    """The provider's name; none when no provider is configured."""

    name: str | None


class Authorization(BaseModel):
    """Where to send the browser; keep `state`, `nonce` and `verifier` in it until it comes back."""

    url: str
    state: str
    nonce: str
    verifier: str


@router.get("")
async def provider(request: Request) -> ProviderName:
    """The name of the provider, or nothing when none is configured."""
    settings = request.app.state.service.settings
    return ProviderName(name=settings.oidc_name if request.app.state.provider else None)


@router.post("/begin")
async def begin(request: Request, body: BeginBody) -> Authorization:
    """Where to send the browser; keep `state`, `nonce` and `verifier` in it until it comes back. 404 without one."""
    try:
        return Authorization(**asdict(await _provider(request).begin(body.redirect_uri)))
    except oidc.ProviderUnavailable as error:
        raise HTTPException(503, str(error)) from None


@router.post("/finish")
async def finish(request: Request, body: FinishBody) -> Session:
    """Begin a session by what the provider says. 401 when it proves nothing, 403 when the user is unknown here."""
    found, service = _provider(request), request.app.state.service
    try:
        claims = await found.finish(body.code, body.redirect_uri, body.nonce, body.verifier)
        name = oidc.name_in(claims, service.settings.oidc_claim)
    except oidc.ProviderUnavailable as error:
        raise HTTPException(503, str(error)) from None
    except oidc.InvalidIdToken as error:
        raise HTTPException(401, str(error)) from None
    user = await repository.find_user(service.pool, name)
    if user is None or user.disabled:
        raise HTTPException(403, f"user: {name} has no access; an administrator can give it")
    return await open_session(request, user, datetime.now(UTC))


def _provider(request: Request) -> oidc.Provider:
    found: oidc.Provider | None = request.app.state.provider
    if found is None:
        raise HTTPException(404, "no OpenID Connect provider is configured")
    return found
