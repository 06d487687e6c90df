"""Signing in at an OpenID Connect provider: the authorization code flow with PKCE, state and nonce.

OpenID Connect Core 1.0 section 3.1, RFC 7636. Nothing is kept here between the two steps: whoever begins holds what has
to be shown again.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from returpost.errors import ReturpostError

ALGORITHMS = ("RS256", "PS256", "ES256")
"""With a key of the provider's; never `none`, and nothing made with the client's secret."""
LEEWAY = 60
"""Seconds by which the provider's clock may differ."""
TIMEOUT = httpx.Timeout(10.0, connect=5.0)


class ProviderAway(ReturpostError):
    """The provider does not answer as it should; signing in with a password may still work."""


class NotProved(ReturpostError):
    """The provider does not say who it is, or not to us."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and what is needed again when it comes back."""

    url: str
    state: str
    nonce: str
    verifier: str


class Provider:
    """One provider, found by its issuer's URL."""

    def __init__(self, issuer: str, client_id: str, client_secret: str) -> None:
        self._issuer, self._client_id, self._client_secret = issuer.rstrip("/"), client_id, client_secret
        self._known: Mapping[str, Any] | None = None

    async def begin(self, redirect_uri: str) -> Begun:
        """Return where the user proves who it is. Raises `ProviderAway`."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        asked = {
            "response_type": "code", "client_id": self._client_id, "redirect_uri": redirect_uri,
            "scope": "openid email profile", "state": state, "nonce": nonce, "code_challenge_method": "S256",
            "code_challenge": create_s256_code_challenge(verifier),
        }  # fmt: skip
        where = (await self._metadata())["authorization_endpoint"]
        return Begun(f"{where}{'&' if '?' in where else '?'}{urlencode(asked)}", state, nonce, verifier)

    async def finish(self, code: str, redirect_uri: str, nonce: str, verifier: str) -> Mapping[str, Any]:
        """Return what the provider says of the user. Raises `NotProved`, `ProviderAway`."""
        asked = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier,
            "client_id": self._client_id, "client_secret": self._client_secret,
        }  # fmt: skip
        told = await self._ask("POST", (await self._metadata())["token_endpoint"], asked)
        if "id_token" not in told:
            raise NotProved(f"the provider gave no token: {told.get('error', 'no error either')}")
        return await self._verified(str(told["id_token"]), str(told.get("access_token") or ""), nonce)

    async def _verified(self, token: str, access_token: str, nonce: str) -> Mapping[str, Any]:
        keys = await self._ask("GET", (await self._metadata())["jwks_uri"])
        options = {
            "iss": {"essential": True, "value": (await self._metadata())["issuer"]},
            "aud": {"essential": True, "value": self._client_id},
        }
        shown = {"nonce": nonce, "client_id": self._client_id, "access_token": access_token or None}
        try:
            read = jwt.decode(token, KeySet.import_key_set(keys), algorithms=ALGORITHMS)  # type: ignore[arg-type]
            claims = CodeIDToken(read.claims, read.header, options, shown)
            claims.validate(leeway=LEEWAY)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise NotProved(f"the provider's token is not good: {error}") from None
        if claims.get("nonce") != nonce:
            raise NotProved("the provider's token is the answer to another question")
        return dict(claims)

    async def _metadata(self) -> Mapping[str, Any]:
        """Return where the provider's parts are (OpenID Connect Discovery 1.0 section 4), asked for once."""
        if self._known is None:
            found = await self._ask("GET", f"{self._issuer}/.well-known/openid-configuration")
            if str(found.get("issuer", "")).rstrip("/") != self._issuer:
                raise ProviderAway(f"{self._issuer} says that it is another issuer")
            if missing := {"authorization_endpoint", "token_endpoint", "jwks_uri"} - found.keys():
                raise ProviderAway(f"{self._issuer} does not tell its {', '.join(sorted(missing))}")
            self._known = found
        return self._known

    async def _ask(self, method: str, url: str, form: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT) as client:
                answer = await client.request(method, url, data=form)
                told = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise ProviderAway(f"{url}: {error}") from None
        if answer.status_code >= 500 or not isinstance(told, dict):
            raise ProviderAway(f"{url}: {answer.status_code}")
        return told


def name_in(claims: Mapping[str, Any], claim: str) -> str:
    """Return the user's name here. Raises `NotProved` when the claim is missing, or an address that nobody verified."""
    name = str(claims.get(claim) or "").strip().lower()
    if not name:
        raise NotProved(f"the provider does not tell the {claim}")
    if claim == "email" and claims.get("email_verified") is False:
        raise NotProved("the provider has not verified this e-mail address")
    return name
