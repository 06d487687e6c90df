"""Every scheme of proof with a request that is right, tampered with, stale, replayed, or made with a wrong key.

What the provider would send is made by OpenSSL. The answers are those of `docs/how-to/sender/provider-webhooks.md`:
401 may be tried again, 403 (Mailgun: 406) ends the retries. A replay that is let in has the same ids, and counts once.
Where 200 stands for what is tampered with or stale, the scheme of the provider does not cover it.
"""

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import md5
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.x509 import load_pem_x509_certificate
from pydantic import SecretStr

from services.ingest.webhooks.authentication import Request, authenticate, certificate_address, signed_by_sns, stop
from services.ingest.webhooks.errors import Unauthenticated
from services.ingest.webhooks.replay_cache import ReplayCache
from services.ingest.webhooks.settings import webhook_settings
from tests.ingest.webhooks.test_signatures import NOTICE, Signer, curve, folder, hmac_of, rsa, signed_by, stranger

__all__ = ["curve", "folder", "rsa", "stranger"]

SECRET, NEXT, WRONG = "user:a-password-of-length", "user:the-next-password", "user:not-the-one-that-is-set"
URL = "/webhooks/mandrill/acme"
Made = tuple[dict[str, str], bytes]
CASES = ("right", "tampered", "stale", "replayed", "wrong key")
LATER = timedelta(hours=26)
"""Beyond the age that any scheme allows."""

ANSWERS = {
    "sns, version 1": (200, 401, 403, 200, 401),
    "sns, version 2": (200, 401, 403, 200, 401),
    "sendgrid": (200, 401, 403, 200, 401),
    "mailgun": (200, 401, 406, 406, 401),
    "resend": (200, 401, 403, 200, 401),
    "postal, SHA-256": (200, 401, 200, 200, 401),
    "postal, SHA-1": (200, 401, 200, 200, 401),
    "mandrill": (200, 401, 200, 200, 401),
    "postmark, basic": (200, 200, 200, 200, 401),
    "sparkpost, bearer": (200, 200, 200, 200, 401),
    "mailjet, basic": (200, 200, 200, 200, 401),
    "brevo, header": (200, 200, 200, 200, 401),
    "azure, header": (200, 200, 200, 200, 401),
    "kumomta, basic": (200, 200, 200, 200, 401),
    "cloudflare, header": (200, 200, 200, 200, 401),
    "mailgun, form": (200, 401, 406, 406, 401),
    "mailersend": (200, 401, 200, 200, 401),
    "mailtrap": (200, 401, 200, 200, 401),
    "lettermint": (200, 401, 403, 200, 401),
    "unisender-go": (200, 401, 200, 200, 401),
    "scaleway, basic": (200, 200, 200, 200, 401),
    "scaleway topic, version 2": (200, 401, 403, 200, 401),
}


class Providers:
    """What each provider sends with a good key or with another one."""

    def __init__(self, curve: Signer, rsa: Signer, stranger: Signer, folder: Path) -> None:
        self._curve, self._rsa, self._stranger = curve, rsa, stranger
        self._other = Signer(folder / "other", "EC", "ec_paramgen_curve:P-256")
        self.certificate = load_pem_x509_certificate(rsa.certificate(folder, 30))
        shared: dict[str, Any] = {
            f"{name}_secrets": SecretStr(f"{NEXT},{SECRET}")
            for name in (
                "mailgun",
                "resend",
                "mandrill",
                "postmark",
                "sparkpost",
                "mailjet",
                "brevo",
                "azure",
                "kumomta",
                "cloudflare",
                "mailersend",
                "mailtrap",
                "lettermint",
                "unisender_go",
            )
        }
        self.settings = webhook_settings(
            ses_topics=NOTICE["TopicArn"],
            scaleway_topics=f"acme={NOTICE['TopicArn']}",
            scaleway_secrets=SecretStr(f"other={SECRET}"),
            sendgrid_secrets=SecretStr(curve.public),
            postal_secrets=SecretStr(rsa.public),
            public_url="https://in.example.com",
            **shared,
        )

    def request(self, scheme: str, at: datetime, *, wrong: bool) -> Made:
        """Return headers and body of a request that was made then."""
        provider, _, way = scheme.partition(", ")
        secret, stamp = WRONG if wrong else SECRET, str(int(at.timestamp()))
        body = b'[{"event":"open"}]'
        if provider in ("sns", "scaleway topic"):
            envelope = signed_by(self._stranger if wrong else self._rsa, NOTICE, way[-1], at)
            host = "sns.eu-west-1.amazonaws.com" if provider == "sns" else "messaging.s3.fr-par.scw.cloud"
            return {}, json.dumps(envelope | {"SigningCertURL": f"https://{host}/a.pem"}).encode()
        if provider == "sendgrid":
            name = "x-twilio-email-event-webhook"
            signature = (self._other if wrong else self._curve).sign(stamp.encode() + body)
            return {f"{name}-timestamp": stamp, f"{name}-signature": signature}, body
        if provider == "mailgun":
            signature = hmac_of(f"{stamp}token".encode(), secret.encode()).hex()
            fields = {"timestamp": stamp, "token": "token", "signature": signature}
            if way == "form":
                return {}, urlencode(fields | {"event": "opened"}).encode()
            return {}, json.dumps({"signature": fields, "event-data": {}}).encode()
        if provider in ("mailersend", "mailtrap"):
            name = {"mailersend": "signature", "mailtrap": "mailtrap-signature"}[provider]
            return {name: hmac_of(body, secret.encode()).hex()}, body
        if provider == "lettermint":
            digest = hmac_of(stamp.encode() + b"." + body, secret.encode()).hex()
            return {"x-lettermint-signature": f"t={stamp},v1={digest}"}, body
        if provider == "unisender-go":
            form = b'{"auth":"%s","events_by_user":[]}'
            return {}, form % md5(form % secret.encode()).hexdigest().encode()  # noqa: S324 - the provider's
        if provider == "resend":
            signed = f"v1,{b64encode(hmac_of(f'msg_1.{stamp}.'.encode() + body, secret.encode())).decode()}"
            return {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": signed}, body
        if provider == "postal":
            signer, hashed = self._stranger if wrong else self._rsa, {"SHA-256": "sha256", "SHA-1": "sha1"}[way]
            name = "x-postal-signature-256" if hashed == "sha256" else "x-postal-signature"
            return {name: signer.sign(body, hashed)}, body
        if provider == "mandrill":
            text = f"https://in.example.com{URL}mandrill_events[]".encode()
            signature = b64encode(hmac_of(text, secret.encode(), "sha1")).decode()
            return {"x-mandrill-signature": signature}, urlencode({"mandrill_events": "[]"}).encode()
        return {
            "basic": {"authorization": f"Basic {b64encode(secret.encode()).decode()}"},
            "bearer": {"authorization": f"Bearer {secret}"},
            "header": {"x-webhook-secret": secret},
        }[way], body


@pytest.fixture(scope="module")
def providers(curve: Signer, rsa: Signer, stranger: Signer, folder: Path) -> Providers:
    (folder / "other").mkdir()
    return Providers(curve, rsa, stranger, folder)


def tampered(scheme: str, made: Made) -> Made:
    """Change what was posted on its way: of Mailgun the token, since its signature covers nothing else."""
    headers, body = made
    if scheme == "mailgun, form":
        return headers, body.replace(b"token=token", b"token=other")
    if scheme == "mailgun":
        return headers, body.replace(b'"token": "token"', b'"token": "other"')
    if scheme.startswith(("sns", "scaleway topic")):
        return headers, body.replace(b"Click", b"Bounc")
    return headers, body + (b"&x=1" if scheme == "mandrill" else b" ")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("scheme", ANSWERS)
def test_matrix(providers: Providers, scheme: str, case: str) -> None:
    now, tokens = datetime.now(UTC), ReplayCache()
    made = providers.request(scheme, now, wrong=case == "wrong key")
    name = scheme.partition(",")[0]
    provider = {"sns": "ses", "scaleway topic": "scaleway"}.get(name, name)
    tenant = "other" if scheme == "scaleway, basic" else "acme"

    def answer(made: Made, at: datetime) -> int:
        headers, body = made
        asked = Request(provider, tenant, f"/webhooks/{provider}/{tenant}", headers, {}, body)
        try:
            authenticate(asked, providers.settings, tokens, at)
            if scheme.startswith(("sns", "scaleway topic")):
                assert certificate_address(asked, providers.settings)
                signed_by_sns(asked, providers.certificate, providers.settings, at)
        except Unauthenticated as refused:
            return stop(refused, provider)
        return 200

    seen: dict[str, Callable[[], int]] = {
        "right": lambda: answer(made, now),
        "tampered": lambda: answer(tampered(scheme, made), now),
        "stale": lambda: answer(made, now + LATER),
        "replayed": lambda: [answer(made, now), answer(made, now + timedelta(minutes=1))][1],
        "wrong key": lambda: answer(made, now),
    }
    assert seen[case]() == ANSWERS[scheme][CASES.index(case)]
