"""Who is let in: how each provider's proof, as its module declares it, is verified. No I/O."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from cryptography.x509 import Certificate

from returpost.bounces.providers import PROVIDERS
from returpost.bounces.providers.authentication import (
    BodyHmac,
    BodyMd5,
    EcdsaSignature,
    FormHmac,
    RsaSignature,
    SharedSecret,
    SnsSignature,
    StandardWebhooks,
    TokenHmac,
)
from returpost.bounces.providers.normalized_result import inner, text_of
from services.ingest.webhooks.errors import Unauthenticated
from services.ingest.webhooks.public_key_signatures import ecdsa, public_key, rsa, sns
from services.ingest.webhooks.replay_cache import UsedTokens
from services.ingest.webhooks.settings import PREFIX, WebhookSettings, field_of
from services.ingest.webhooks.shared_secret_signatures import (
    MISSING,
    body_hmac,
    body_md5,
    form_hmac,
    secrets_in,
    shared_secret,
    standard_signature,
    standard_webhook,
    timed_body_hmac,
    token_hmac,
)


@dataclass(frozen=True, slots=True)
class Request:
    """What a request brings. Names of headers are in lower case; `path` is with the query."""

    provider: str
    tenant: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = b""
    """Empty until it has been read."""


def authenticate(request: Request, settings: WebhookSettings, tokens: UsedTokens, now: datetime) -> str | None:
    """Check the proof; return the token that it used up, if it is of that sort. Raises `Unauthenticated`."""
    scheme = PROVIDERS[request.provider].authentication
    secrets = settings.secrets_for(request.provider, request.tenant)
    headers, body = request.headers, request.body
    if not secrets:
        _without_secrets(request, settings)
        return None
    match scheme:
        case StandardWebhooks():
            standard_webhook(secrets, headers, body, now=now, tolerance=settings.tolerance)
        case BodyHmac(header=header, timed=True):
            timed_body_hmac(secrets, headers.get(header, ""), body, now=now, tolerance=settings.tolerance)
        case BodyHmac(header=header):
            body_hmac(secrets, headers.get(header, ""), body)
        case BodyMd5(field=field):
            body_md5(secrets, body, field)
        case TokenHmac(fields=fields):
            limits = {"max_age": settings.max_age(request.provider), "tolerance": settings.tolerance}
            token, until = token_hmac(secrets, fields(body), now=now, **limits)
            tokens.take(f"{request.tenant}:{token}", until, now)
            return f"{request.tenant}:{token}"
        case FormHmac(header=header) if header in headers and settings.public_url:
            _form(request, secrets, settings.public_url, headers[header])
        case EcdsaSignature() | RsaSignature():
            _key_or_secret(request, settings, secrets, now)
        case SharedSecret(query=query):
            _secret(request, secrets, request.query.get(query) if query else None)
        case _:
            _secret(request, secrets)
    return None


def check_head(request: Request, settings: WebhookSettings) -> None:
    """Check as much of the proof as can be checked before the body is read, which is nobody's yet.

    Raises `Unauthenticated` where `authenticate` would whatever the body is.
    """
    secrets = settings.secrets_for(request.provider, request.tenant)
    if not secrets:
        _without_secrets(request, settings)
        return
    match PROVIDERS[request.provider].authentication:
        case StandardWebhooks() if not standard_signature(request.headers):
            raise Unauthenticated("unsigned", MISSING)
        case BodyHmac(header=header) if not request.headers.get(header):
            raise Unauthenticated("unsigned", MISSING)
        case SharedSecret(query=query):
            _secret(request, secrets, request.query.get(query) if query else None)
        case SnsSignature():
            _secret(request, secrets)


def stop(refused: Unauthenticated, provider: str) -> int:
    """Return the status of the answer: one that ends the retries when they cannot help."""
    return PROVIDERS[provider].final_status if refused.final else 401


def certificate_address(request: Request, settings: WebhookSettings) -> str | None:
    """Return where the certificate is that this message of a topic is to be checked with; None when it is not signed.

    A topic that is named must be one of the tenant's when any is set. Raises `Unauthenticated`.
    """
    scheme = PROVIDERS[request.provider].authentication
    if not isinstance(scheme, SnsSignature):
        return None
    envelope = _json(request.body)
    named = inner(envelope, "TopicArn") or request.headers.get("x-amz-sns-topic-arn")
    topics = settings.topics_for(request.provider, request.tenant)
    asks = inner(envelope, "Type") == "SubscriptionConfirmation"
    if named not in topics and (asks or (topics and named)):
        setting = _setting(request.provider, "topics")
        raise Unauthenticated("topic", f"topic: not one of this tenant's; name it in {setting}", final=True)
    if not topics:
        return None
    if inner(envelope, "TopicArn"):
        return _certificate_of(envelope, scheme)
    if not settings.secrets_for(request.provider, request.tenant):
        setting = _setting(request.provider, "secrets")
        raise Unauthenticated(
            "unsigned", f"a raw message is not signed; set {setting}, or deliver it with its envelope"
        )
    return None


def signed_by_sns(request: Request, certificate: Certificate, settings: WebhookSettings, now: datetime) -> None:
    """Check the signature of a topic. Raises `Unauthenticated`."""
    past, future = settings.max_age(request.provider), settings.tolerance
    sns(_json(request.body), certificate, now=now, past=past, future=future)


def subscription(request: Request) -> str | None:
    """Return the address to visit when a topic asks whether it may send, else None. Raises `Unauthenticated`.

    https://docs.aws.amazon.com/sns/latest/dg/http-subscription-confirmation-json.html
    """
    scheme = PROVIDERS[request.provider].authentication
    if not isinstance(scheme, SnsSignature):
        return None
    envelope = _json(request.body)
    if inner(envelope, "Type") != "SubscriptionConfirmation":
        return None
    url = text_of(inner(envelope, "SubscribeURL"))
    if not re.fullmatch(scheme.service, url):
        raise Unauthenticated("topic", "SubscribeURL: not an address of SNS", final=True)
    return url


def _certificate_of(envelope: Any, scheme: SnsSignature) -> str:
    url = text_of(inner(envelope, "SigningCertURL") or inner(envelope, "SigningCertUrl"))
    if not re.fullmatch(scheme.certificates, url):
        raise Unauthenticated("certificate", "SigningCertURL: not a certificate of SNS", final=True)
    return url


def _setting(provider: str, name: str) -> str:
    return f"{PREFIX}{field_of(provider, name).upper()}"


def _without_secrets(request: Request, settings: WebhookSettings) -> None:
    scheme = PROVIDERS[request.provider].authentication
    if isinstance(scheme, SnsSignature) and settings.topics_for(request.provider, request.tenant):
        return  # the topic signs
    if not settings.allows_unsigned(request.tenant):
        setting = _setting(request.provider, "secrets")
        raise Unauthenticated("unconfigured", f"{setting}: nothing is set for this tenant", final=True)


def _secret(request: Request, secrets: list[str], offered: str | None = None) -> None:
    """Check a shared secret. A public key is nobody's secret."""
    presented = secrets_in(request.headers) + ([offered] if offered else [])
    shared_secret([secret for secret in secrets if not public_key(secret)], presented)


def _key_or_secret(request: Request, settings: WebhookSettings, secrets: list[str], now: datetime) -> None:
    """Check a signature when a public key is set, else a shared secret."""
    keys = [key for key in map(public_key, secrets) if key]
    shared = len(keys) < len(secrets)
    if not keys or (shared and secrets_in(request.headers)):
        _secret(request, secrets)
        return
    match PROVIDERS[request.provider].authentication:
        case RsaSignature(sha256_header=newer, sha1_header=older):
            rsa(keys, request.headers.get(newer), request.headers.get(older), request.body)
        case EcdsaSignature(header=header, time_header=time_header):
            stamp, signature = request.headers.get(time_header, ""), request.headers.get(header, "")
            past, future = settings.max_age(request.provider), settings.tolerance
            ecdsa(keys, stamp, signature, request.body, now=now, past=past, future=future)


def _form(request: Request, secrets: list[str], public_url: str, offered: str) -> None:
    url = public_url.rstrip("/") + request.path
    pairs = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Unauthenticated("wrong", "signature: a field stands there twice, and only one can have been signed")
    form_hmac(secrets, url, fields, offered)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
