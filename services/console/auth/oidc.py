"""Signing in at an OpenID Connect provider: there and back. What proves that it is the same browser is in a cookie."""

import hmac

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.console import i18n
from services.console.api_client import Away, Refused
from services.console.auth import session, sign_in
from services.console.i18n import gettext_noop

MINUTES = 10
"""So long the provider may take."""
PATH = "/sign-in/provider"
AWAY = gettext_noop("The sign-in service does not answer just now. Try again in a moment.")
NOT_PROVED = gettext_noop("Signing in did not succeed. Please try once more.")
NO_USER = gettext_noop("You are known there, but have no access here. An administrator can give it to you.")

router = APIRouter(prefix=PATH)


@router.get("")
async def begin(request: Request, next: str = "/") -> Response:  # noqa: A002 - the parameter's name in the URL
    """Send the browser to the provider."""
    say, following = i18n.Texts(session.language_of(request)), sign_in.own_path(next)
    try:
        answer = await request.app.state.services.ask(
            "actions", "POST", f"/v1{PATH}/begin", token=None, body={"redirect_uri": _way_back(request)}
        )
    except (Away, Refused):
        return await sign_in.page(request, following=following, problem=say.t(AWAY), status=503)
    told = answer.json()
    response = RedirectResponse(told.pop("url"), 303)
    kept, secure = orjson.dumps(told | {"next": following}).hex(), not request.app.state.settings.insecure_cookies
    response.set_cookie(
        session.PROVIDER_COOKIE, kept, max_age=MINUTES * 60, httponly=True, samesite="lax", secure=secure, path=PATH
    )
    return response


@router.get("/callback")
async def finish(request: Request, code: str = "", state: str = "") -> Response:
    """Begin a session by what the provider says; nothing is begun for a browser that was not sent there from here."""
    say, kept = i18n.Texts(session.language_of(request)), _kept(request)
    following = sign_in.own_path(kept.get("next", "/"))
    response = await _session(request, say, kept, following, (code, state))
    response.delete_cookie(session.PROVIDER_COOKIE, path=PATH)
    return response


async def _session(
    request: Request, say: i18n.Texts, kept: dict[str, str], following: str, told: tuple[str, str]
) -> Response:
    code, state = told
    if not code or not kept or not hmac.compare_digest(kept["state"].encode(), state.encode()):
        return await sign_in.page(request, following=following, problem=say.t(NOT_PROVED), status=401)
    body = {"code": code, "redirect_uri": _way_back(request), "nonce": kept["nonce"], "verifier": kept["verifier"]}
    try:
        answer = await request.app.state.services.ask("actions", "POST", f"/v1{PATH}/finish", token=None, body=body)
    except Away:
        return await sign_in.page(request, following=following, problem=say.t(AWAY), status=503)
    except Refused as refused:
        problem = say.t(NO_USER) if refused.status == 403 else say.t(NOT_PROVED)
        return await sign_in.page(request, following=following, problem=problem, status=refused.status)
    return sign_in.begun(request, following, answer.json())


def _kept(request: Request) -> dict[str, str]:
    try:
        kept = orjson.loads(bytes.fromhex(request.cookies.get(session.PROVIDER_COOKIE, "")))
    except ValueError:
        return {}
    names = {"state", "nonce", "verifier", "next"}
    if not isinstance(kept, dict) or not names <= kept.keys():
        return {}
    return kept if all(isinstance(value, str) for value in kept.values()) else {}


def _way_back(request: Request) -> str:
    base = request.app.state.settings.public_url or str(request.base_url)
    return f"{base.rstrip('/')}{PATH}/callback"
