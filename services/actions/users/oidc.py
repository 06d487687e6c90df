"""Sign-in at an OpenID Connect provider: the authorization code flow with PKCE, state and nonce.

OpenID Connect Core 1.0 section 3.1, RFC 7636. Nothing is kept here between the two steps: the caller keeps what the
second step needs.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt

from returpost.errors import InvalidMessage, ReturpostError
from services.actions.users.domain import name_of

ALGORITHMS = ("RS256", "PS256", "ES256")
"""Signed with a key of the provider's; never `none`, never with the client's secret."""
REQUIRED_CLAIMS = ("iss", "sub", "aud", "exp", "iat")
"""OpenID Connect Core 1.0 section 2."""
LEEWAY = 60
"""Seconds by which the provider's clock may differ."""
TIMEOUT = httpx.Timeout(10.0, connect=5.0)


class ProviderUnavailable(ReturpostError):
    """The provider does not answer as it should; signing in with a password may still work."""


class InvalidIdToken(ReturpostError):
    """The provider's answer does not prove who the user is."""


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """Where to send the browser, and what the second step needs."""

    url: str
    state: str
    nonce: str
    verifier: str


class Provider:
    """One provider, found by its issuer's URL."""

    def __init__(self, issuer: str, client_id: str, client_secret: str) -> None:
        self._issuer, self._client_id, self._client_secret = issuer.rstrip("/"), client_id, client_secret
        self._known: Mapping[str, Any] | None = None

    async def begin(self, redirect_uri: str) -> AuthorizationRequest:
        """Return the request to send the browser with. Raises `ProviderUnavailable`."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        asked = {
            "response_type": "code", "client_id": self._client_id, "redirect_uri": redirect_uri,
            "scope": "openid email profile", "state": state, "nonce": nonce, "code_challenge_method": "S256",
            "code_challenge": code_challenge(verifier),
        }  # fmt: skip
        where = (await self._metadata())["authorization_endpoint"]
        return AuthorizationRequest(f"{where}{'&' if '?' in where else '?'}{urlencode(asked)}", state, nonce, verifier)

    async def finish(self, code: str, redirect_uri: str, nonce: str, verifier: str) -> Mapping[str, Any]:
        """Return the claims about the user. Raises `InvalidIdToken`, `ProviderUnavailable`."""
        asked = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier,
            "client_id": self._client_id, "client_secret": self._client_secret,
        }  # fmt: skip
        told = await self._ask("POST", (await self._metadata())["token_endpoint"], asked)
        if "id_token" not in told:
            raise InvalidIdToken(f"the provider returned no ID token: {told.get('error', 'no error either')}")
        return await self._verified(str(told["id_token"]), str(told.get("access_token") or ""), nonce)

    async def _verified(self, token: str, access_token: str, nonce: str) -> Mapping[str, Any]:
        metadata = await self._metadata()
        jwks = await self._ask("GET", metadata["jwks_uri"])
        try:
            header = jwt.get_unverified_header(token)
            claims: dict[str, Any] = jwt.decode(
                token,
                _key(jwks, header.get("kid")),
                algorithms=list(ALGORITHMS),
                audience=self._client_id,
                issuer=metadata["issuer"],
                leeway=LEEWAY,
                options={"require": list(REQUIRED_CLAIMS)},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise InvalidIdToken(f"the provider's ID token is invalid: {error}") from None
        self._check_claims(claims, access_token, nonce)
        return claims

    def _check_claims(self, claims: Mapping[str, Any], access_token: str, nonce: str) -> None:
        """Check what OpenID Connect Core 1.0 sections 3.1.3.7 and 3.1.3.8 demand beyond a JWT."""
        if claims.get("nonce") != nonce:
            raise InvalidIdToken("the provider's ID token is invalid: nonce of another request")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self._client_id) != self._client_id:
            raise InvalidIdToken("the provider's ID token is invalid: azp is not this client")
        at_hash = claims.get("at_hash")
        if at_hash and access_token and not hmac.compare_digest(str(at_hash).encode(), _half_hash(access_token)):
            raise InvalidIdToken("the provider's ID token is invalid: at_hash of another access token")

    async def _metadata(self) -> Mapping[str, Any]:
        """Return the provider's metadata (OpenID Connect Discovery 1.0 section 4), read once."""
        if self._known is None:
            found = await self._ask("GET", f"{self._issuer}/.well-known/openid-configuration")
            if str(found.get("issuer", "")).rstrip("/") != self._issuer:
                raise ProviderUnavailable(f"{self._issuer} is another issuer by its own metadata")
            if missing := {"authorization_endpoint", "token_endpoint", "jwks_uri"} - found.keys():
                raise ProviderUnavailable(f"{self._issuer} lacks {', '.join(sorted(missing))}")
            self._known = found
        return self._known

    async def _ask(self, method: str, url: str, form: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT) as client:
                answer = await client.request(method, url, data=form)
                told = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise ProviderUnavailable(f"{url}: {error}") from None
        if answer.status_code >= 500 or not isinstance(told, dict):
            raise ProviderUnavailable(f"{url}: {answer.status_code}")
        return told


def name_in(claims: Mapping[str, Any], claim: str) -> str:
    """Return the user's name. Raises `InvalidIdToken` when the claim is missing, no name, or an address that the
    provider does not say it has verified: `email_verified` is true, as JSON has it (OpenID Connect Core 1.0 section
    5.1), and not "true", 1, or left out.
    """
    told = claims.get(claim)
    if not isinstance(told, str) or not told.strip():
        raise InvalidIdToken(f"the provider's ID token lacks {claim}")
    if claim == "email" and claims.get("email_verified") is not True:
        raise InvalidIdToken("the provider does not say that it has verified this e-mail address")
    try:
        return name_of(told)
    except InvalidMessage as error:
        raise InvalidIdToken(f"{claim}: {error}") from None


def code_challenge(verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636 section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _key(jwks: Mapping[str, Any], kid: object) -> Any:
    """Return the provider's key with this id; the only one when the token names none."""
    keys = jwt.PyJWKSet.from_dict(dict(jwks)).keys
    found = [one for one in keys if one.key_id == kid] if kid is not None else keys
    if len(found) != 1:
        raise ValueError(f"{len(found)} keys of the provider fit")
    return found[0].key


def _half_hash(access_token: str) -> bytes:
    """Return the `at_hash` of an access token: all `ALGORITHMS` hash with SHA-256."""
    digest = hashlib.sha256(access_token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
