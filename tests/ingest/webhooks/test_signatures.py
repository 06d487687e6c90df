"""Signatures, made by OpenSSL or taken from what the providers publish, never by the code that checks them."""

import re
import subprocess
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.x509 import Certificate, load_pem_x509_certificate

from returpost.bounces.providers import PROVIDERS
from returpost.bounces.providers.authentication import SnsSignature
from services.ingest.webhooks import public_key_signatures as keys
from services.ingest.webhooks.errors import Unauthenticated
from services.ingest.webhooks.replay_cache import ReplayCache
from services.ingest.webhooks.shared_secret_signatures import (
    body_hmac,
    body_md5,
    form_hmac,
    secrets_in,
    shared_secret,
    standard_webhook,
    timed_body_hmac,
    token_hmac,
)

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
FIVE_MINUTES = timedelta(minutes=5)
HOURS = timedelta(hours=9)
KEY, OTHER = "a-key-for-tests-of-sufficient-length", "another-key-of-sufficient-length"


def openssl(*arguments: str, data: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def hmac_of(data: bytes, key: bytes, hashed: str = "sha256") -> bytes:
    return openssl("dgst", f"-{hashed}", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}", "-binary", data=data)


def refusal(check: Callable[[], object]) -> str:
    with pytest.raises(Unauthenticated) as refused:
        check()
    return refused.value.reason


class Signer:
    """A key pair of OpenSSL's."""

    def __init__(self, folder: Path, *algorithm: str) -> None:
        self.private = str(folder / f"{'-'.join(algorithm)}.pem".replace(":", "-"))
        openssl("genpkey", "-algorithm", algorithm[0], "-pkeyopt", algorithm[1], "-out", self.private)
        self.public = b64encode(openssl("pkey", "-in", self.private, "-pubout", "-outform", "DER")).decode()

    def sign(self, data: bytes, hashed: str = "sha256") -> str:
        return b64encode(openssl("dgst", f"-{hashed}", "-sign", self.private, data=data)).decode()

    def certificate(self, folder: Path, days: int) -> bytes:
        path = str(folder / "certificate.pem")
        subject = ["-subj", "/CN=sns.amazonaws.com", "-days", str(days), "-out", path]
        openssl("req", "-x509", "-key", self.private, *subject)
        return Path(path).read_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def rsa(folder: Path) -> Signer:
    return Signer(folder, "RSA", "rsa_keygen_bits:2048")


@pytest.fixture(scope="module")
def stranger(folder: Path) -> Signer:
    return Signer(folder, "RSA", "rsa_keygen_bits:1024")


@pytest.fixture(scope="module")
def curve(folder: Path) -> Signer:
    return Signer(folder, "EC", "ec_paramgen_curve:P-256")


# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, and Svix's own example
SVIX = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SVIX_BODY = b'{"test": 2432232314}'
SVIX_TIME = datetime.fromtimestamp(1614265330, UTC)
SVIX_HEADERS = {
    "svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "svix-timestamp": "1614265330",
    "svix-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


def resend(secrets: list[str] = [SVIX], headers: dict[str, str] = SVIX_HEADERS, body: bytes = SVIX_BODY,  # noqa: B006
           now: datetime = SVIX_TIME) -> None:  # fmt: skip
    standard_webhook(secrets, headers, body, now=now, tolerance=FIVE_MINUTES)


def test_standard_webhooks_by_the_published_example() -> None:
    resend()
    resend(secrets=["whsec_bm90IHRoaXMgb25l", SVIX])
    resend(headers={name.replace("svix", "webhook"): value for name, value in SVIX_HEADERS.items()})
    resend(headers=SVIX_HEADERS | {"svix-signature": f"v1a,xx v1,YQ== {SVIX_HEADERS['svix-signature']}"})
    resend(now=SVIX_TIME + FIVE_MINUTES)
    assert refusal(lambda: resend(secrets=["whsec_bm90IHRoaXMgb25l"])) == "wrong"
    assert refusal(lambda: resend(body=SVIX_BODY + b" ")) == "wrong"
    assert refusal(lambda: resend(headers=SVIX_HEADERS | {"svix-id": "msg_2"})) == "wrong"
    assert refusal(lambda: resend(headers=SVIX_HEADERS | {"svix-timestamp": "1614265331"})) == "wrong"
    assert refusal(lambda: resend(headers={})) == "unsigned"
    for late in (FIVE_MINUTES, -FIVE_MINUTES):
        moment = SVIX_TIME + late * 1.01
        assert refusal(lambda: resend(now=moment)) == "stale"  # noqa: B023


def mailgun_of(key: str, timestamp: str = STAMP, token: str = "t" * 50) -> dict[str, str]:
    signature = hmac_of((timestamp + token).encode(), key.encode()).hex()
    return {"timestamp": timestamp, "token": token, "signature": signature}


def check_mailgun(signature: object, *secrets: str) -> tuple[str, datetime]:
    return token_hmac(secrets or (KEY,), signature, now=NOW, max_age=HOURS, tolerance=FIVE_MINUTES)


def test_mailgun() -> None:
    assert check_mailgun(mailgun_of(KEY)) == ("t" * 50, NOW + HOURS)
    check_mailgun(mailgun_of(KEY), OTHER, KEY)
    check_mailgun(mailgun_of(KEY, str(int(STAMP) - 8 * 3600)))  # a retry brings the first signature
    assert refusal(lambda: check_mailgun(mailgun_of(OTHER))) == "wrong"
    assert refusal(lambda: check_mailgun(mailgun_of(KEY) | {"token": "u" * 50})) == "wrong"
    for signature in ({}, None, "x", {"timestamp": STAMP}, mailgun_of(KEY) | {"signature": ""}):
        assert refusal(lambda: check_mailgun(signature)) == "unsigned"  # noqa: B023
    for seconds in (-10 * 3600, 301):
        old = mailgun_of(KEY, str(int(STAMP) + seconds))
        assert refusal(lambda: check_mailgun(old)) == "stale"  # noqa: B023
    assert refusal(lambda: check_mailgun(mailgun_of(KEY, "yesterday"))) == "stale"


def test_a_token_is_good_once_while_it_is_good_and_when_what_it_came_with_was_taken() -> None:
    tokens = ReplayCache(limit=2)
    tokens.take("a", NOW + HOURS, NOW)
    assert refusal(lambda: tokens.take("a", NOW + HOURS, NOW)) == "replayed"
    tokens.give_back("a")
    tokens.take("a", NOW + HOURS, NOW)
    tokens.take("b", NOW + HOURS, NOW)
    tokens.take("c", NOW + HOURS, NOW)
    tokens.take("a", NOW + HOURS, NOW)  # the oldest went
    tokens.take("c", NOW, NOW + HOURS)


def test_body_hmac() -> None:
    body = b'{"events": []}'
    signature = hmac_of(body, KEY.encode()).hex()
    body_hmac([OTHER, KEY], signature, body)
    body_hmac([KEY], signature.upper(), body)
    assert refusal(lambda: body_hmac([KEY], signature, body + b" ")) == "wrong"
    assert refusal(lambda: body_hmac([OTHER], signature, body)) == "wrong"
    assert refusal(lambda: body_hmac([KEY], "ø", body)) == "wrong"
    assert refusal(lambda: body_hmac([KEY], "", body)) == "unsigned"


def test_timed_body_hmac() -> None:
    body = b'{"event": "message.delivered"}'

    def check(header: str, secret: str = KEY) -> None:
        timed_body_hmac([secret], header, body, now=NOW, tolerance=FIVE_MINUTES)

    def signed(stamp: str) -> str:
        return f"t={stamp},v1={hmac_of(stamp.encode() + b'.' + body, KEY.encode()).hex()}"

    check(signed(STAMP))
    assert refusal(lambda: check(signed(STAMP), OTHER)) == "wrong"
    assert refusal(lambda: check(signed(STAMP).replace(STAMP, str(int(STAMP) + 1)))) == "wrong"
    assert refusal(lambda: check(signed(str(int(STAMP) - 301)))) == "stale"
    assert refusal(lambda: check(signed(str(int(STAMP) + 301)))) == "stale"
    for header in ("", "t=1", "v1=00", signed("soon")):
        assert refusal(lambda: check(header)) == "unsigned"  # noqa: B023


def test_body_md5() -> None:
    """As https://docs.unione.io/en/web-api-ref#callback-format says: the key stands where the hash will be."""
    form = '{"auth":"%s","events_by_user":[{"user_id":456}]}'
    signed = (form % openssl("dgst", "-md5", "-hex", data=(form % KEY).encode()).split()[-1].decode()).encode()
    body_md5([OTHER, KEY], signed, "auth")
    assert refusal(lambda: body_md5([OTHER], signed, "auth")) == "wrong"
    assert refusal(lambda: body_md5([KEY], signed.replace(b"456", b"457"), "auth")) == "wrong"
    digest = signed.split(b'"')[3]
    assert refusal(lambda: body_md5([KEY], signed.replace(b"456", b'"%s"' % digest), "auth")) == "wrong"
    for body in (b"", b"[]", b"{}", b'{"auth": 1}', b'{"auth": "%s"}' % KEY.encode()):
        assert refusal(lambda: body_md5([KEY], body, "auth")) == "unsigned"  # noqa: B023


def test_mandrill() -> None:
    url, fields = "https://in.example.com/webhooks/mandrill/acme?sender=news", {"mandrill_events": "[]", "b": "æ"}
    signed = f"{url}bæmandrill_events[]".encode()
    offered = b64encode(hmac_of(signed, KEY.encode(), "sha1")).decode()
    form_hmac([OTHER, KEY], url, fields, offered)
    assert refusal(lambda: form_hmac([OTHER], url, fields, offered)) == "wrong"
    assert refusal(lambda: form_hmac([KEY], url + "x", fields, offered)) == "wrong"
    assert refusal(lambda: form_hmac([KEY], url, fields | {"b": "ø"}, offered)) == "wrong"


def test_shared_secrets() -> None:
    basic = "Basic " + b64encode(b"user:a password").decode()
    shared_secret([OTHER, "user:a password"], secrets_in({"authorization": basic}))
    shared_secret([KEY], secrets_in({"authorization": f"Bearer {KEY}"}))
    shared_secret([KEY], secrets_in({"x-webhook-secret": KEY}))
    for headers in ({"authorization": basic}, {"authorization": "Basic !"}, {"x-webhook-secret": KEY + "x"}):
        assert refusal(lambda: shared_secret([KEY], secrets_in(headers))) == "wrong"  # noqa: B023
    assert refusal(lambda: shared_secret([KEY], secrets_in({}))) == "unsigned"
    assert refusal(lambda: shared_secret([KEY], secrets_in({"authorization": "Digest x"}))) == "unsigned"


# https://github.com/sendgrid/sendgrid-nodejs/tree/main/packages/eventwebhook, an earlier version of its tests
TWILIO_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEDr2LjtURuePQzplybdC+u4CwrqDqBaWjcMMsTbhdbcwHBcepxo7yAQGhHPTnlvFYPAZFceEu"
    "/1FwCM/QmGUhA=="
)
TWILIO = "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH2j/0="
TWILIO_BODY = b'{"category":"example_payload","event":"test_event","message_id":"message_id"}'


def sendgrid(key: str, timestamp: str, signature: str, body: bytes, now: datetime = NOW) -> None:
    keys.ecdsa([keys.public_key(key)], timestamp, signature, body, now=now, past=HOURS, future=FIVE_MINUTES)


def test_sendgrid(curve: Signer, rsa: Signer) -> None:
    sendgrid(TWILIO_KEY, "1588788367", TWILIO, TWILIO_BODY, datetime.fromtimestamp(1588788367, UTC))
    body = b'[{"event":"open"}]\r\n'
    signature = curve.sign(STAMP.encode() + body)
    sendgrid(curve.public, STAMP, signature, body)
    assert refusal(lambda: sendgrid(curve.public, STAMP, signature, body[:-2])) == "wrong"
    assert refusal(lambda: sendgrid(curve.public, str(int(STAMP) + 1), signature, body)) == "wrong"
    assert refusal(lambda: sendgrid(TWILIO_KEY, STAMP, signature, body)) == "wrong"
    assert refusal(lambda: sendgrid(rsa.public, STAMP, signature, body)) == "wrong"
    assert refusal(lambda: sendgrid(curve.public, STAMP, "", body)) == "unsigned"
    assert refusal(lambda: sendgrid(curve.public, STAMP, signature, body, NOW + 2 * HOURS)) == "stale"


def test_postal(rsa: Signer, stranger: Signer, curve: Signer) -> None:
    body, found = (
        b'{"event":"MessageSent"}',
        [keys.public_key(curve.public), keys.public_key(rsa.public)],
    )
    newer, older = rsa.sign(body), rsa.sign(body, "sha1")
    keys.rsa(found, newer, older, body)
    keys.rsa(found, None, older, body)
    assert refusal(lambda: keys.rsa(found, newer, older, body + b" ")) == "wrong"
    assert refusal(lambda: keys.rsa(found, stranger.sign(body), older, body)) == "wrong"
    assert refusal(lambda: keys.rsa(found, "!", None, body)) == "unsigned"
    assert refusal(lambda: keys.rsa([keys.public_key(stranger.public)], newer, None, body)) == "wrong"


NOTICE = {
    "Type": "Notification",
    "MessageId": "m1",
    "TopicArn": "arn:aws:sns:eu-west-1:123456789012:returns",
    "Message": '{"eventType":"Click"}',
    "Timestamp": "2026-03-01T10:00:00.000Z",
}
QUESTION = NOTICE | {"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": "https://sns.eu-west-1.x/"}


def signed_by(signer: Signer, envelope: dict[str, str], version: str, now: datetime) -> dict[str, str]:
    """Sign as https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html says."""
    fresh = envelope | {"Timestamp": f"{now:%Y-%m-%dT%H:%M:%S}.000Z", "SignatureVersion": version}
    order = "Message MessageId Subject Timestamp TopicArn Type"
    if envelope["Type"] != "Notification":
        order = "Message MessageId SubscribeURL Timestamp Token TopicArn Type"
    text = "".join(f"{name}\n{fresh[name]}\n" for name in order.split() if name in fresh)
    return fresh | {"Signature": signer.sign(text.encode(), {"1": "sha1", "2": "sha256"}[version])}


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    "envelope", [NOTICE, NOTICE | {"Subject": "Æ"}, QUESTION], ids=["plain", "subject", "question"]
)
def test_sns(rsa: Signer, stranger: Signer, folder: Path, version: str, envelope: dict[str, str]) -> None:
    own, strange = (load_pem_x509_certificate(signer.certificate(folder, 30)) for signer in (rsa, stranger))
    now = datetime.now(UTC)  # not before the certificates are of this time
    good = signed_by(rsa, envelope, version, now)

    def check(value: dict[str, str], certificate: Certificate = own, at: datetime = now) -> None:
        keys.sns(value, certificate, now=at, past=HOURS, future=FIVE_MINUTES)

    check(good)
    check(good, at=now + timedelta(hours=8))
    assert refusal(lambda: check(good | {"Message": "{}"})) == "wrong"
    assert refusal(lambda: check(good | {"SignatureVersion": "3"})) == "wrong"
    assert refusal(lambda: check(good | {"SignatureVersion": {"1": "2", "2": "1"}[version]})) == "wrong"
    assert refusal(lambda: check(good | {"Signature": ""})) == "wrong"
    assert refusal(lambda: check(good, strange)) == "wrong"
    assert refusal(lambda: check(good, at=now + timedelta(days=31))) == "certificate"
    assert refusal(lambda: check(good, at=now + timedelta(hours=10))) == "stale"


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem", True),
        ("https://sns.cn-north-1.amazonaws.com.cn/x.pem", True),
        ("http://sns.eu-west-1.amazonaws.com/x.pem", False),
        ("https://sns.eu-west-1.amazonaws.com.example.com/x.pem", False),
        ("https://sns.eu-west-1.amazonaws.com:444/x.pem", False),
        ("https://sns.eu-west-1.amazonaws.com@example.com/x.pem", False),
        ("https://example.com/https://sns.eu-west-1.amazonaws.com/x.pem", False),
        ("https://sns.example.com/x.pem\nhttps://sns.eu-west-1.amazonaws.com/x.pem", False),
        ("https://s3.eu-west-1.amazonaws.com/x.pem", False),
        ("", False),
    ],
)
def test_only_sns_itself_is_asked(url: str, good: bool) -> None:
    scheme = PROVIDERS["ses"].authentication
    assert isinstance(scheme, SnsSignature)
    assert bool(re.fullmatch(scheme.service, url)) is bool(re.fullmatch(scheme.certificates, url)) is good
    assert not re.fullmatch(scheme.certificates, url[:-4])


def test_a_secret_is_no_public_key() -> None:
    assert keys.public_key(KEY) is keys.public_key("user:password") is keys.public_key("c2VjcmV0") is None
