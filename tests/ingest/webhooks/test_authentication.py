"""Which proof is asked of whom, and what is fetched from SNS."""

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from aiohttp import web
from pydantic import SecretStr

from returpost.errors import Unavailable
from services.ingest.webhooks.authentication import Request, authenticate, certificate_address, stop
from services.ingest.webhooks.errors import Unauthenticated
from services.ingest.webhooks.http import fetch
from services.ingest.webhooks.replay_cache import ReplayCache
from services.ingest.webhooks.settings import WebhookSettings, webhook_settings
from tests.ingest.webhooks.test_signatures import KEY, NOTICE, NOW, STAMP, Signer, curve, folder, hmac_of, rsa

__all__ = ["curve", "folder", "rsa"]
BODY = b"[]"
PASSWORD = "user:a-password-of-length"
BASIC = {"authorization": "Basic " + b64encode(PASSWORD.encode()).decode()}


def refused(provider: str, settings: WebhookSettings, headers: dict[str, str], body: bytes = BODY) -> str | None:
    asked = Request(provider, "acme", f"/webhooks/{provider}/acme?sender=news", headers, {}, body)
    try:
        authenticate(asked, settings, ReplayCache(), NOW)
        if provider == "ses":
            certificate_address(asked, settings)
    except Unauthenticated as error:
        return error.reason
    return None


def test_a_public_key_is_asked_for_a_signature_and_is_nobodys_secret(curve: Signer, rsa: Signer) -> None:
    signed = {
        "x-twilio-email-event-webhook-timestamp": STAMP,
        "x-twilio-email-event-webhook-signature": curve.sign(STAMP.encode() + BODY),
    }
    alone = webhook_settings(sendgrid_secrets=SecretStr(curve.public), postal_secrets=SecretStr(f"acme={rsa.public}"))
    assert refused("sendgrid", alone, signed) is None
    assert refused("sendgrid", alone, signed, b"[1]") == "wrong"
    assert refused("sendgrid", alone, {"x-webhook-secret": curve.public}) == "unsigned"
    assert refused("postal", alone, {"x-postal-signature-256": rsa.sign(BODY)}) is None
    assert refused("postal", alone, {"x-webhook-secret": rsa.public}) == "unsigned"
    both = webhook_settings(sendgrid_secrets=SecretStr(f"{curve.public},{PASSWORD}"))
    assert refused("sendgrid", both, signed) is refused("sendgrid", both, BASIC) is None
    assert refused("sendgrid", both, {"x-webhook-secret": curve.public}) == "wrong"
    unsuited = webhook_settings(sparkpost_secrets=SecretStr(curve.public))
    assert refused("sparkpost", unsuited, {"x-webhook-secret": curve.public}) == "wrong"


def test_mandrill_signs_the_address_that_it_knows() -> None:
    body = urlencode({"mandrill_events": "[]"}).encode()
    url = "https://in.example.com/webhooks/mandrill/acme?sender=news"
    signature = b64encode(hmac_of(f"{url}mandrill_events[]".encode(), KEY.encode(), "sha1")).decode()
    signed = {"x-mandrill-signature": signature}
    settings = webhook_settings(mandrill_secrets=SecretStr(KEY), public_url="https://in.example.com/")
    assert refused("mandrill", settings, signed, body) is None
    assert refused("mandrill", settings, signed, body + b"&x=1") == "wrong"
    for forged in (b"mandrill_events=%5B1%5D&" + body, body + b"&mandrill_events=%5B1%5D"):
        assert refused("mandrill", settings, signed, forged) == "wrong"
    elsewhere = settings.model_copy(update={"public_url": "https://out.example.com"})
    assert refused("mandrill", elsewhere, signed, body) == "wrong"
    assert refused("mandrill", webhook_settings(mandrill_secrets=SecretStr(PASSWORD)), signed | BASIC, body) is None


def test_ses_proves_itself_by_topic_or_secret_and_by_both_when_both_are_set() -> None:
    envelope = b'{"Type": "Notification", "TopicArn": "%s", "SigningCertURL": "https://example.com/a.pem"}'
    known = envelope % NOTICE["TopicArn"].encode()
    topic = webhook_settings(ses_topics=f"acme={NOTICE['TopicArn']}")
    secret = webhook_settings(ses_secrets=SecretStr(PASSWORD))
    both = webhook_settings(ses_secrets=SecretStr(PASSWORD), ses_topics=NOTICE["TopicArn"])
    assert refused("ses", webhook_settings(), {}, known) == "unconfigured"
    assert refused("ses", topic, {}, known) == "certificate"
    assert refused("ses", topic, {}, envelope % b"arn:aws:sns:x:1:other") == "topic"
    assert refused("ses", topic, {}, b'{"eventType": "Click"}') == "unsigned"
    assert refused("ses", secret, {}, known) == "unsigned"
    assert refused("ses", secret, BASIC, b'{"eventType": "Click"}') is None
    assert refused("ses", both, {}, known) == "unsigned"
    assert refused("ses", both, BASIC, known) == "certificate"
    assert refused("ses", both, BASIC, b'{"eventType": "Click"}') is None
    assert refused("ses", both, BASIC | {"x-amz-sns-topic-arn": "arn:aws:sns:x:1:other"}, b"{}") == "topic"
    assert refused("ses", secret, BASIC, b'{"Type": "SubscriptionConfirmation"}') == "topic"


def test_a_refusal_that_is_final_stops_each_provider_in_its_own_way() -> None:
    assert [stop(Unauthenticated("x", "", final=True), name) for name in ("mailgun", "postmark", "resend")] == [
        406,
        403,
        403,
    ]
    assert [stop(Unauthenticated("x", ""), name) for name in ("mailgun", "postmark")] == [401, 401]


@pytest.fixture
async def amazon(tmp_path: Path) -> AsyncIterator[str]:
    """A server that answers, redirects or fails."""

    async def answer(request: web.Request) -> web.Response:
        status = int(request.match_info["status"])
        return web.Response(status=status, text="pem", headers={"Location": "/200"} if status == 302 else {})

    app = web.Application()
    app.router.add_get("/{status}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.anyio
async def test_what_sns_answers(amazon: str) -> None:
    assert await fetch(f"{amazon}/200") == b"pem"
    for path in ("302", "500"):
        with pytest.raises(Unavailable, match=f"SNS answered {path}"):
            await fetch(f"{amazon}/{path}")
    with pytest.raises(Unavailable, match="SNS did not answer"):
        await fetch("http://127.0.0.1:1/")
