"""An OpenID Connect provider, small but whole: discovery, authorization code with PKCE, signed tokens, keys.

It knows one user and asks nothing. Over its attributes a test has it say something else than it should.
"""

import base64
import hashlib
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from urllib.parse import urlencode

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from fastapi import FastAPI, Form, HTTPException
from fastapi.responses import RedirectResponse

CLIENT, SECRET = "returpost-console", "a secret of the client"


def new_key() -> RSAPrivateKey:
    """Return a new key to sign with."""
    return generate_private_key(65537, 2048)


class OpenIdProvider:
    """What the provider is; `url` is its issuer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = new_key()
        self.signs_with = self.key
        self.says: dict[str, Any] = {}
        """Claims that its next tokens have in place of the right ones."""
        self.user = {"sub": "1", "email": "Kari@firma.example", "email_verified": True}
        self._asked: dict[str, dict[str, str]] = {}
        self.app = FastAPI()
        self.app.get("/.well-known/openid-configuration")(self.metadata)
        self.app.get("/keys")(self.keys)
        self.app.get("/authorize")(self.authorize)
        self.app.post("/token")(self.token)

    async def metadata(self) -> dict[str, Any]:
        places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return {"issuer": self.url} | {name: f"{self.url}/{path}" for name, path in places.items()}

    async def keys(self) -> Any:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [public | {"kid": "one", "use": "sig", "alg": "RS256"}]}

    async def authorize(
        self, client_id: str, redirect_uri: str, state: str, nonce: str, code_challenge: str, code_challenge_method: str
    ) -> RedirectResponse:
        if client_id != CLIENT or code_challenge_method != "S256":
            raise HTTPException(400)
        code = secrets.token_urlsafe(16)
        self._asked[code] = {"redirect_uri": redirect_uri, "nonce": nonce, "challenge": code_challenge}
        return RedirectResponse(f"{redirect_uri}?{urlencode({'code': code, 'state': state})}", 302)

    async def token(
        self,
        code: Annotated[str, Form()],
        redirect_uri: Annotated[str, Form()],
        code_verifier: Annotated[str, Form()],
        client_id: Annotated[str, Form()],
        client_secret: Annotated[str, Form()],
    ) -> dict[str, Any]:
        asked = self._asked.pop(code, None)
        digest = hashlib.sha256(code_verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or (asked["redirect_uri"], asked["challenge"]) != (redirect_uri, challenge):
            return {"error": "invalid_grant"}
        if (client_id, client_secret) != (CLIENT, SECRET):
            return {"error": "invalid_client"}
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        token = jwt.encode(claims | self.user | self.says, self.signs_with, "RS256", {"kid": "one"})
        return {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "id_token": token}


@contextmanager
def openid_provider() -> Iterator[OpenIdProvider]:
    """Run a provider."""
    listening = socket.create_server(("127.0.0.1", 0))
    provider = OpenIdProvider(f"http://127.0.0.1:{listening.getsockname()[1]}")
    server = uvicorn.Server(uvicorn.Config(provider.app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
