"""HTTP: signing in at the OpenID Connect provider that is configured, in two steps."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import Field

from services.actions import oidc
from services.actions.revoking import Q
from services.actions.users_api import Body, open_session

router = APIRouter(prefix="/v1/sign-in/provider", tags=["users"])
Part = Annotated[str, Field(min_length=1, max_length=4_000)]


class Begin(Body):
    redirect_uri: Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=1_000)]


class Finish(Begin):
    code: Part
    nonce: Part
    verifier: Part


@router.get("")
async def provider(request: Request) -> dict[str, str | None]:
    """What the provider is called, or nothing when none is configured."""
    return {"name": request.app.state.service.settings.oidc_name if request.app.state.provider else None}


@router.post("/begin")
async def begin(request: Request, body: Begin) -> dict[str, str]:
    """Where to send the browser; keep `state`, `nonce` and `verifier` in it until it comes back. 404 without one."""
    try:
        return asdict(await _provider(request).begin(body.redirect_uri))
    except oidc.ProviderAway as error:
        raise HTTPException(503, str(error)) from None


@router.post("/finish")
async def finish(request: Request, body: Finish) -> dict[str, Any]:
    """Give a session's token for what the provider says. 401 when it proves nothing, 403 for who is no user here."""
    found, settings = _provider(request), request.app.state.service.settings
    try:
        claims = await found.finish(body.code, body.redirect_uri, body.nonce, body.verifier)
        name = oidc.name_in(claims, settings.oidc_claim)
    except oidc.ProviderAway as error:
        raise HTTPException(503, str(error)) from None
    except oidc.NotProved as error:
        raise HTTPException(401, str(error)) from None
    user = await request.app.state.service.pool.fetchrow(Q["user"], name)
    if user is None or user["disabled"]:
        raise HTTPException(403, f"user: {name} has no access; an administrator can give it")
    return await open_session(request, user, datetime.now(UTC))


def _provider(request: Request) -> oidc.Provider:
    found: oidc.Provider | None = request.app.state.provider
    if found is None:
        raise HTTPException(404, "no OpenID Connect provider is configured")
    return found
