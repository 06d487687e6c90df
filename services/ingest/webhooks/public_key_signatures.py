"""Signatures with public keys, RSA and ECDSA, over the raw bytes. No I/O."""

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509 import Certificate

from returpost.bounces.providers.normalized_result import moment, text_of
from returpost.errors import InvalidMessage
from services.ingest.webhooks.errors import Unauthenticated
from services.ingest.webhooks.shared_secret_signatures import MISSING, WRONG, fresh

MIN_RSA = 1024
"""Bits; Postal makes keys of 1024."""

_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


@lru_cache(maxsize=256)
def public_key(text: str) -> EllipticCurvePublicKey | RSAPublicKey | None:
    """Return the public key that this is, the Base64 of its DER; None when it is a secret of another sort."""
    try:
        key = load_der_public_key(b64decode(text, validate=True))
    except (NotBase64, ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, (EllipticCurvePublicKey, RSAPublicKey)) else None


def ecdsa(
    keys: Iterable[object],
    timestamp: str,
    signature: str,
    body: bytes,
    *,
    now: datetime,
    past: timedelta,
    future: timedelta,
) -> None:
    """Check ECDSA with SHA-256 over the time and the body. Raises `Unauthenticated`.

    https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
    """
    decoded = _decoded(signature)
    if not (timestamp and decoded):
        raise Unauthenticated("unsigned", MISSING)
    signed = timestamp.encode("utf-8", "replace") + body
    if not any(_ecdsa(key, decoded, signed) for key in keys if isinstance(key, EllipticCurvePublicKey)):
        raise Unauthenticated("wrong", WRONG)
    fresh(timestamp, now, past=past, future=future)


def rsa(keys: Iterable[object], sha256: str | None, sha1: str | None, body: bytes) -> None:
    """Check RSA over the body, with SHA-256 or, where there is no such signature, SHA-1. Raises `Unauthenticated`.

    It signs no time; a repeat does no harm, since events are recognised by their ids.

    https://docs.postalserver.io/developer/webhooks, https://github.com/postalserver/postal/blob/main/lib/postal/http.rb
    """
    signature = _decoded(sha256 or sha1 or "")
    if not signature:
        raise Unauthenticated("unsigned", MISSING)
    hashed = SHA256() if sha256 else SHA1()  # noqa: S303 - older versions of Postal have no other
    if not any(_rsa(key, signature, body, hashed) for key in keys if isinstance(key, RSAPublicKey)):
        raise Unauthenticated("wrong", WRONG)


def sns(
    envelope: Mapping[str, object], certificate: Certificate, *, now: datetime, past: timedelta, future: timedelta
) -> None:
    """Check the signature of SNS, version 1 (SHA-1) or 2 (SHA-256), with its certificate. Raises `Unauthenticated`.

    That the certificate is the one of SNS is for `certificates` to tell; here it has to be of this time.

    https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
    """
    names = _NOTIFICATION if envelope.get("Type") == "Notification" else _CONFIRMATION
    lines = [f"{name}\n{text_of(envelope[name])}\n" for name in names if envelope.get(name) is not None]
    version = text_of(envelope.get("SignatureVersion"))
    if version not in ("1", "2"):
        raise Unauthenticated("wrong", "SignatureVersion: neither 1 nor 2", final=True)
    hashed = SHA256() if version == "2" else SHA1()  # noqa: S303 - version 1 is what SNS still uses by default
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise Unauthenticated("certificate", "SigningCertURL: the certificate is not of this time")
    if not _rsa(_key_of(certificate), _decoded(text_of(envelope.get("Signature"))), "".join(lines).encode(), hashed):
        raise Unauthenticated("wrong", "signature: the certificate of SNS did not make it")
    try:
        sent = moment(envelope.get("Timestamp")).timestamp()
    except InvalidMessage:
        sent = 0
    fresh(str(int(sent)), now, past=past, future=future)


def _key_of(certificate: Certificate) -> object:
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def _ecdsa(key: EllipticCurvePublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _rsa(key: object, signature: bytes, signed: bytes, hashed: SHA1 | SHA256) -> bool:
    if not isinstance(key, RSAPublicKey) or key.key_size < MIN_RSA:
        return False
    try:
        key.verify(signature, signed, PKCS1v15(), hashed)
    except InvalidSignature:
        return False
    return True


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (NotBase64, ValueError):
        return b""
