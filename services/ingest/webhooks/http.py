"""HTTP: what providers post of their own accord. A 2xx answer means that RabbitMQ has confirmed all of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import orjson
from cryptography.x509 import Certificate
from fastapi import APIRouter, FastAPI, HTTPException, Query, Request as HttpRequest, Response
from prometheus_client import Counter

from returpost.bounces.providers import PROVIDERS
from returpost.bounces.providers.authentication import SnsSignature
from returpost.contracts import Name
from returpost.errors import Unavailable
from services.ingest.webhooks.authentication import (
    Request,
    authenticate,
    certificate_address,
    check_head,
    signed_by_sns,
    stop,
    subscription,
)
from services.ingest.webhooks.certificates import certificates, issuer_address, roots_in, verify_chain
from services.ingest.webhooks.errors import Unauthenticated
from services.ingest.webhooks.ingestion import Payload, ingest_payload
from services.ingest.webhooks.load_shedding import defer, is_crowded
from services.ingest.webhooks.replay_cache import ReplayCache, UsedTokens
from services.ingest.webhooks.repository import SharedReplayCache
from services.ingest.webhooks.settings import WebhookSettings, load

REFUSED = Counter("returpost_webhook_refused_total", "Requests that were not believed", ["provider", "reason"])
FETCH_TIMEOUT = 10.0
"""Seconds for an answer of SNS."""
MAX_WEBHOOK = 8 * 1024 * 1024
"""Bytes of what a provider posts. The largest that is documented are SendGrid's 768 KB.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""
MAX_FETCHED = 64 * 1024
MAX_CERTIFICATES = 50
CHALLENGE = {"WWW-Authenticate": 'Basic realm="returpost"'}
"""SNS sends its credentials only when it is asked for them."""


async def fetch(url: str) -> bytes:
    """Fetch from SNS. Raises `Unavailable`, and SNS sends again."""
    try:
        async with (
            asyncio.timeout(FETCH_TIMEOUT),
            httpx.AsyncClient(timeout=FETCH_TIMEOUT, trust_env=False) as http,
            http.stream("GET", url) as answer,
        ):
            if answer.status_code != 200:
                raise Unavailable(f"SNS answered {answer.status_code}")
            body = b""
            async for part in answer.aiter_raw(MAX_FETCHED):
                body += part
                if len(body) >= MAX_FETCHED:
                    break
            return body[:MAX_FETCHED]
    except (httpx.HTTPError, TimeoutError) as error:
        raise Unavailable(f"SNS did not answer: {type(error).__name__}") from error


@dataclass(frozen=True)
class Webhooks:
    """What the routes need: the settings, the tokens that were used, and how something is fetched from SNS."""

    settings: WebhookSettings
    tokens: UsedTokens = field(default_factory=ReplayCache)
    fetch: Callable[[str], Awaitable[bytes]] = fetch
    certificates: dict[str, Certificate] = field(default_factory=dict)

    async def certificate(self, provider: str, url: str) -> Certificate:
        """Return the certificate at an address of a topic's service, which is believed once; it stays what it is.

        Raises `Unavailable` and `Unauthenticated`.
        """
        if url not in self.certificates:
            scheme = PROVIDERS[provider].authentication
            assert isinstance(scheme, SnsSignature)  # noqa: S101 - only these name a certificate
            roots = roots_in(self.settings.roots_of(provider), scheme.roots)
            chain = certificates(await self.fetch(url))
            while issuer := issuer_address(chain, roots, scheme.issuers):
                chain += certificates(await self.fetch(issuer))
            verify_chain(chain, roots, scheme.names(url), datetime.now(UTC))
            if len(self.certificates) >= MAX_CERTIFICATES:
                self.certificates.clear()
            self.certificates[url] = chain[0]
        return self.certificates[url]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = load()
    for name, provider in PROVIDERS.items():
        if isinstance(provider.authentication, SnsSignature):
            roots_in(settings.roots_of(name), provider.authentication.roots)
    if not settings.tokens_file:
        app.state.webhooks = Webhooks(settings)
        yield
        return
    with closing(SharedReplayCache(Path(settings.tokens_file))) as tokens:
        app.state.webhooks = Webhooks(settings, tokens)
        yield


router = APIRouter(prefix="/webhooks", tags=["webhooks"], lifespan=_lifespan)


@router.head("/{provider}/{tenant}", include_in_schema=False)
async def exists(provider: str, tenant: Name) -> Response:
    """Say that there is such an address; Mandrill asks before it is set up."""
    return Response(status_code=200 if provider in PROVIDERS else 404)


@router.options("/{provider}/{tenant}", include_in_schema=False)
async def may_send(provider: str, tenant: Name, request: HttpRequest) -> Response:
    """Let a provider send CloudEvents here.

    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md
    """
    asked = _request_of(provider, tenant, request)
    origin = asked.headers.get("webhook-request-origin")
    if not PROVIDERS[provider].asks_by_options or not origin:
        return Response(status_code=405, headers={"Allow": "POST, HEAD"})
    try:
        await _authenticated(asked, request.app.state.webhooks)
    except Unauthenticated as refused:
        raise _refusal(refused, provider) from None
    return Response(headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"})


@router.post("/{provider}/{tenant}")
async def receive(
    provider: str, tenant: Name, request: HttpRequest, sender: Annotated[Name | None, Query()] = None
) -> Response:
    """Take what a provider posts, signed or with a secret.

    `sender` is the system that sent the mails, unless their metadata tell. What cannot be read is kept among the dead
    letters and counted in the answer, and stops nothing else.
    """
    return await receive_payload(request, provider, tenant, sender)


async def receive_payload(request: HttpRequest, provider: str, tenant: str, sender: str | None = None) -> Response:
    """Do what `receive` says."""
    webhooks: Webhooks = request.app.state.webhooks
    asked = _request_of(provider, tenant, request)
    token = None
    try:
        check_head(asked, webhooks.settings)
        asked = replace(asked, body=await request.body())
        token = await _authenticated(asked, webhooks)
        told = await _answered(asked, webhooks, request.app.state.service, sender)
        if token is not None:
            webhooks.tokens.keep(token)
        return Response(orjson.dumps(told), media_type="application/json")
    except BaseException as error:
        if token is not None:
            webhooks.tokens.give_back(token)
        if isinstance(error, Unauthenticated):
            raise _refusal(error, provider) from None
        raise


async def _answered(asked: Request, webhooks: Webhooks, service: Any, sender: str | None) -> dict[str, Any]:
    provider = PROVIDERS[asked.provider]
    if provider.handshake and (answer := provider.handshake(asked.body)):
        return answer
    if url := subscription(asked):
        await webhooks.fetch(url)
        return {"confirmed": True}
    payload = Payload(asked.provider, asked.tenant, sender, asked.body)
    crowded = is_crowded(service)
    async with service.uow_factory.begin() as work:
        if crowded:
            work.command(defer(payload))
            return {"received": True}
        return dict(await ingest_payload(payload, work, service))


def _request_of(provider: str, tenant: str, request: HttpRequest) -> Request:
    if provider not in PROVIDERS:
        raise HTTPException(404, f"provider: there are {', '.join(sorted(PROVIDERS))}")
    path, query = request.scope["path"], request.scope["query_string"].decode("latin-1")
    path = f"{path}?{query}" if query else path
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(request.scope["headers"])}
    return Request(provider, tenant, path, headers, request.query_params)


async def _authenticated(asked: Request, webhooks: Webhooks) -> str | None:
    settings, now = webhooks.settings, datetime.now(UTC)
    token = authenticate(asked, settings, webhooks.tokens, now)
    if url := certificate_address(asked, settings):
        signed_by_sns(asked, await webhooks.certificate(asked.provider, url), settings, now)
    return token


def _refusal(refused: Unauthenticated, provider: str) -> HTTPException:
    REFUSED.labels(provider, refused.reason).inc()
    status = stop(refused, provider)
    return HTTPException(status, str(refused), CHALLENGE if status == 401 else None)
