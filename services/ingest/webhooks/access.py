"""Who is let in: how each provider proves that a request is its own. No I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from services.ingest.webhooks.found import inner
from services.ingest.webhooks.settings import PREFIX, WebhookSettings
from services.ingest.webhooks.signatures import (
    Refused,
    Tokens,
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
_UNCHECKED = {
    "sendgrid": "x-twilio-email-event-webhook-signature",
    "postal": "x-postal-signature",
}
"""Headers of signatures that are not checked here, RSA or ECDSA."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a request brings. Names of headers are in lower case; `path` is with the query."""

    provider: str
    tenant: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


def admit(request: Request, settings: WebhookSettings, tokens: Tokens, now: datetime) -> str | None:
    """Check the proof; return the token that it used up, if it is of that sort. Raises `Refused`."""
    secrets = settings.secrets_for(request.provider, request.tenant)
    if not secrets:
        if settings.allows_unsigned(request.tenant):
            return None
        name = f"{PREFIX}{request.provider.upper()}_SECRETS"
        raise Refused("unconfigured", f"{name}: nothing is set for this tenant", final=True)
    if request.provider == "resend":
        standard_webhook(secrets, request.headers, request.body, now=now, tolerance=settings.tolerance)
        return None
    if request.provider == "mailgun":
        signature = inner(_json(request.body), "signature")
        limits = {"max_age": settings.mailgun_max_age, "tolerance": settings.tolerance}
        token, until = mailgun(secrets, signature, now=now, **limits)
        tokens.take(f"{request.tenant}:{token}", until, now)
        return f"{request.tenant}:{token}"
    if request.provider == "mandrill" and "x-mandrill-signature" in request.headers and settings.public_url:
        _mandrill(request, secrets, settings.public_url)
        return None
    _shared(request, secrets)
    return None


def stop(refused: Refused, provider: str) -> int:
    """Return the status of the answer: one that ends the retries when they cannot help."""
    return STOP.get(provider, 403) if refused.final else refused.status


def subscription(request: Request, settings: WebhookSettings) -> str | None:
    """Return the address to visit when SNS asks whether it may send; None when it does not ask.

    Every request names its topic, which must be one of the tenant's when any is set; a subscription is confirmed for
    such a topic alone. Raises `Refused`.

    https://docs.aws.amazon.com/sns/latest/dg/http-subscription-confirmation-json.html
    """
    envelope = _json(request.body)
    topic = inner(envelope, "TopicArn") or request.headers.get("x-amz-sns-topic-arn")
    topics = settings.topics_for(request.tenant)
    asks = inner(envelope, "Type") == "SubscriptionConfirmation"
    if topic not in topics and (asks or (topics and topic)):
        raise Refused("topic", f"topic: not one of this tenant's; name it in {PREFIX}SES_TOPICS", final=True)
    if not asks:
        return None
    url = str(inner(envelope, "SubscribeURL") or "")
    if not is_sns_address(url):
        raise Refused("topic", "SubscribeURL: not an address of SNS", final=True)
    return url


def _shared(request: Request, secrets: list[str]) -> None:
    offered = secrets_in(request.headers)
    if request.provider == "azure" and request.query.get("secret"):
        offered.append(request.query["secret"])
    if not offered and _UNCHECKED.get(request.provider) in request.headers:
        message = "signature: RSA and ECDSA are not checked here; give the provider an address with user:password"
        raise Refused("unchecked", message, status=501)
    shared_secret(secrets, offered)


def _mandrill(request: Request, secrets: list[str], public_url: str) -> None:
    url = public_url.rstrip("/") + request.path
    fields = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    mandrill(secrets, url, fields, request.headers["x-mandrill-signature"])


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
