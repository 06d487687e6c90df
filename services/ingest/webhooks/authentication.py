"""Who is let in: how each provider proves that a request is its own. No I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from cryptography.x509 import Certificate

from returpost.bounces.providers.normalized_result import inner
from services.ingest.webhooks.public_key_signatures import postal, public_key, sendgrid, sns, sns_certificate_address
from services.ingest.webhooks.settings import PREFIX, WebhookSettings
from services.ingest.webhooks.shared_secret_signatures import (
    ReplayCache,
    Unauthenticated,
    is_sns_address,
    mailgun,
    mandrill,
    secrets_in,
    shared_secret,
    standard_webhook,
)

STOP = {"mailgun": 406}
"""What makes a provider stop trying, where it is not 403.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-retries
https://postmarkapp.com/developer/webhooks/webhooks-overview#retries (403)
"""


@dataclass(frozen=True, slots=True)
class Request:
    """What a request brings. Names of headers are in lower case; `path` is with the query."""

    provider: str
    tenant: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


def authenticate(request: Request, settings: WebhookSettings, tokens: ReplayCache, now: datetime) -> str | None:
    """Check the proof; return the token that it used up, if it is of that sort. Raises `Unauthenticated`."""
    secrets = settings.secrets_for(request.provider, request.tenant)
    if not secrets:
        _without_secrets(request, settings)
    elif request.provider == "resend":
        standard_webhook(secrets, request.headers, request.body, now=now, tolerance=settings.tolerance)
    elif request.provider == "mailgun":
        signature = inner(_json(request.body), "signature")
        limits = {"max_age": settings.mailgun_max_age, "tolerance": settings.tolerance}
        token, until = mailgun(secrets, signature, now=now, **limits)
        tokens.take(f"{request.tenant}:{token}", until, now)
        return f"{request.tenant}:{token}"
    elif request.provider == "mandrill" and "x-mandrill-signature" in request.headers and settings.public_url:
        _mandrill(request, secrets, settings.public_url)
    else:
        _keys_or_secrets(request, settings, secrets, now)
    return None


def stop(refused: Unauthenticated, provider: str) -> int:
    """Return the status of the answer: one that ends the retries when they cannot help."""
    return STOP.get(provider, 403) if refused.final else 401


def certificate_address(request: Request, settings: WebhookSettings) -> str | None:
    """Return where the certificate is that this message of SNS is to be checked with; None when it is not signed.

    A topic that is named must be one of the tenant's when any is set. Raises `Unauthenticated`.
    """
    envelope = _json(request.body)
    named = inner(envelope, "TopicArn") or request.headers.get("x-amz-sns-topic-arn")
    topics = settings.topics_for(request.tenant)
    asks = inner(envelope, "Type") == "SubscriptionConfirmation"
    if named not in topics and (asks or (topics and named)):
        raise Unauthenticated("topic", f"topic: not one of this tenant's; name it in {PREFIX}SES_TOPICS", final=True)
    if not topics:
        return None
    if inner(envelope, "TopicArn"):
        return sns_certificate_address(envelope)
    if not settings.secrets_for("ses", request.tenant):
        raise Unauthenticated(
            "unsigned", f"a raw message is not signed; set {PREFIX}SES_SECRETS, or deliver it with its envelope"
        )
    return None


def signed_by_sns(request: Request, certificate: Certificate, settings: WebhookSettings, now: datetime) -> None:
    """Check the signature of SNS. Raises `Unauthenticated`."""
    sns(_json(request.body), certificate, now=now, past=settings.ses_max_age, future=settings.tolerance)


def subscription(request: Request) -> str | None:
    """Return the address to visit when SNS asks whether it may send, else None. Raises `Unauthenticated`.

    https://docs.aws.amazon.com/sns/latest/dg/http-subscription-confirmation-json.html
    """
    envelope = _json(request.body)
    if inner(envelope, "Type") != "SubscriptionConfirmation":
        return None
    url = str(inner(envelope, "SubscribeURL") or "")
    if not is_sns_address(url):
        raise Unauthenticated("topic", "SubscribeURL: not an address of SNS", final=True)
    return url


def _without_secrets(request: Request, settings: WebhookSettings) -> None:
    if request.provider == "ses" and settings.topics_for(request.tenant):
        return  # SNS signs
    if not settings.allows_unsigned(request.tenant):
        name = f"{PREFIX}{request.provider.upper()}_SECRETS"
        raise Unauthenticated("unconfigured", f"{name}: nothing is set for this tenant", final=True)


def _keys_or_secrets(request: Request, settings: WebhookSettings, secrets: list[str], now: datetime) -> None:
    """Check a signature when a public key is set, else a shared secret. A public key is nobody's secret."""
    keys = [key for key in map(public_key, secrets) if key] if request.provider in ("sendgrid", "postal") else []
    shared = [secret for secret in secrets if not public_key(secret)]
    offered = secrets_in(request.headers)
    if request.provider == "azure" and request.query.get("secret"):
        offered.append(request.query["secret"])
    if keys and not (shared and offered):
        if request.provider == "postal":
            postal(keys, request.headers, request.body)
        else:
            past, future = settings.sendgrid_max_age, settings.tolerance
            sendgrid(keys, request.headers, request.body, now=now, past=past, future=future)
        return
    shared_secret(shared, offered)


def _mandrill(request: Request, secrets: list[str], public_url: str) -> None:
    url = public_url.rstrip("/") + request.path
    pairs = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Unauthenticated(
            "wrong", "signature: a field stands there twice, and only one can be the one that was signed"
        )
    mandrill(secrets, url, fields, request.headers["x-mandrill-signature"])


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
