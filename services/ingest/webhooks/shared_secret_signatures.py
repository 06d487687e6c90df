"""Proofs with a secret that a request is its provider's, over the raw bytes and in constant time. No I/O.

Those with public keys are in `services.ingest.webhooks.public_key_signatures`.
"""

import hmac
import json
import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import md5, sha1, sha256
from typing import Any

from services.ingest.webhooks.errors import Unauthenticated

MISSING = "signature: missing"
WRONG = "signature: no key that is set made it"
_TIMED = re.compile(r"t=(\d{1,12}),\s*v1=([0-9A-Fa-f]{64})\Z")


def shared_secret(secrets: Iterable[str], presented: Iterable[str]) -> None:
    """Check a secret that the provider was given. Raises `Unauthenticated`."""
    offered = list(presented)
    if not offered:
        raise Unauthenticated(
            "unsigned", "no secret: send it by basic authentication or in the header X-Webhook-Secret"
        )
    if not _one_of(secrets, offered):
        raise Unauthenticated("wrong", "the secret is not the one that is set")


def secrets_in(headers: Mapping[str, str]) -> list[str]:
    """Return the secrets that a request brings: `user:password` (RFC 7617), a bearer token, or X-Webhook-Secret."""
    found = [headers["x-webhook-secret"]] if headers.get("x-webhook-secret") else []
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        found.append(credentials.strip())
    elif scheme.lower() == "basic":
        try:
            found.append(b64decode(credentials.strip(), validate=True).decode())
        except (NotBase64, ValueError):
            found.append("")
    return found


def standard_webhook(
    secrets: Iterable[str], headers: Mapping[str, str], body: bytes, *, now: datetime, tolerance: timedelta
) -> None:
    """Check a signature after Standard Webhooks, with its own headers or Svix's. Raises `Unauthenticated`.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    https://docs.svix.com/receiving/verifying-payloads/how-manual
    """
    if (found := standard_signature(headers)) is None:
        raise Unauthenticated("unsigned", MISSING)
    identity, timestamp, signatures = found
    signed = f"{identity}.{timestamp}.".encode() + body
    expected = [b64encode(hmac.digest(_key(secret), signed, sha256)).decode() for secret in secrets]
    offered = [entry[3:] for entry in signatures.split()[:20] if entry.startswith("v1,")]
    if not _one_of(expected, offered):
        raise Unauthenticated("wrong", WRONG)
    fresh(timestamp, now, past=tolerance, future=tolerance)


def standard_signature(headers: Mapping[str, str]) -> tuple[str, str, str] | None:
    """Return id, time and signatures as Standard Webhooks or Svix name them; none when one is missing."""
    names = ("id", "timestamp", "signature")
    identity, timestamp, signatures = (headers.get(f"webhook-{name}") or headers.get(f"svix-{name}") for name in names)
    return (identity, timestamp, signatures) if identity and timestamp and signatures else None


def body_hmac(secrets: Iterable[str], signature: str, body: bytes) -> None:
    """Check HMAC-SHA256 in hexadecimal digits over the body. No time is signed. Raises `Unauthenticated`."""
    if not signature:
        raise Unauthenticated("unsigned", MISSING)
    expected = [hmac.digest(secret.encode(), body, sha256).hex() for secret in secrets]
    if not _one_of(expected, [signature.strip().lower()]):
        raise Unauthenticated("wrong", WRONG)


def timed_body_hmac(
    secrets: Iterable[str], signature: str, body: bytes, *, now: datetime, tolerance: timedelta
) -> None:
    """Check `t=<seconds>,v1=<HMAC-SHA256 over <seconds>.<body>>`. Raises `Unauthenticated`."""
    if (parts := _TIMED.match(signature.strip())) is None:
        raise Unauthenticated("unsigned", MISSING)
    body_hmac(secrets, parts[2], parts[1].encode() + b"." + body)
    fresh(parts[1], now, past=tolerance, future=tolerance)


def token_hmac(
    secrets: Iterable[str], signature: Any, *, now: datetime, max_age: timedelta, tolerance: timedelta
) -> tuple[str, datetime]:
    """Check a signature that covers time and token but not the body: whoever calls lets the token be used once.

    Return the token and until when it is good. Raises `Unauthenticated`.

    https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
    """
    fields = signature if isinstance(signature, Mapping) else {}
    timestamp, token, offered = (str(fields.get(name) or "") for name in ("timestamp", "token", "signature"))
    if not (timestamp and token and offered):
        raise Unauthenticated("unsigned", MISSING)
    signed = (timestamp + token).encode("utf-8", "replace")
    expected = [hmac.digest(secret.encode(), signed, sha256).hex() for secret in secrets]
    if not _one_of(expected, [offered]):
        raise Unauthenticated("wrong", WRONG)
    return token, fresh(timestamp, now, past=max_age, future=tolerance) + max_age


def form_hmac(secrets: Iterable[str], url: str, fields: Mapping[str, str], offered: str) -> None:
    """Check a signature over the address and the sorted fields of the form. Raises `Unauthenticated`.

    https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/#authenticating-webhook-requests
    """
    signed = (url + "".join(name + fields[name] for name in sorted(fields))).encode()
    expected = [b64encode(hmac.digest(secret.encode(), signed, sha1)).decode() for secret in secrets]
    if not _one_of(expected, [offered]):
        raise Unauthenticated("wrong", WRONG)


def body_md5(secrets: Iterable[str], body: bytes, field: str) -> None:
    """Check the MD5 of the body as it was with the secret in the place of the hash. Raises `Unauthenticated`.

    The hash stands in the field of that name, and in no other place: it is replaced in the raw bytes.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    offered = value.get(field) if isinstance(value, dict) else None
    if not (isinstance(offered, str) and re.fullmatch(r"[0-9A-Fa-f]{32}", offered)):
        raise Unauthenticated("unsigned", MISSING)
    before, found, after = body.partition(offered.encode())
    if not found or offered.encode() in after:
        raise Unauthenticated("wrong", "signature: its hash stands in the body more than once")
    expected = [md5(before + secret.encode() + after).hexdigest() for secret in secrets]  # noqa: S324 - the provider's
    if not _one_of(expected, [offered.lower()]):
        raise Unauthenticated("wrong", WRONG)


def fresh(timestamp: str, now: datetime, *, past: timedelta, future: timedelta) -> datetime:
    """Return the time that was signed. Raises `Unauthenticated` when it lies too far from ours."""
    try:
        signed_at = datetime.fromtimestamp(int(timestamp), now.tzinfo)
    except (ValueError, OverflowError, OSError):
        raise Unauthenticated("stale", "signature: its time is none", final=True) from None
    if not now - past <= signed_at <= now + future:
        raise Unauthenticated("stale", "signature: its time is too far from ours; check the clock", final=True)
    return signed_at


def _key(secret: str) -> bytes:
    """Return the key of `whsec_<base64>`; a secret that is no base64 is taken as it is."""
    try:
        return b64decode(secret.removeprefix("whsec_"), validate=True)
    except (NotBase64, ValueError):
        return secret.encode()


def _one_of(expected: Iterable[str], offered: Collection[str]) -> bool:
    """Compare each with each, in a time that does not tell which was right."""
    pairs = [(one.encode(), other.encode("utf-8", "replace")) for one in expected for other in offered]
    return sum(hmac.compare_digest(one, other) for one, other in pairs) > 0
