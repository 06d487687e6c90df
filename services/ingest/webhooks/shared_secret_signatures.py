"""Proofs with a secret that a request is its provider's, over the raw bytes and in constant time. No I/O.

Those with public keys are in `services.ingest.webhooks.public_key_signatures`.
"""

import hmac
import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import sha1, sha256
from typing import Any

from returpost.errors import ReturpostError

_SNS = re.compile(r"https://sns\.[a-z0-9-]{1,40}\.amazonaws\.com(\.cn)?/[^\s@]*\Z")


class Unauthenticated(ReturpostError):
    """The request is not believed. `final`: sending it again cannot help."""

    def __init__(self, reason: str, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.final = final


class ReplayCache:
    """ReplayCache that were used, so that nobody uses them again; bounded, the oldest go first."""

    def __init__(self, limit: int = 200_000) -> None:
        self._used: dict[str, datetime] = {}
        self._limit = limit

    def take(self, token: str, until: datetime, now: datetime) -> None:
        """Use the token. Raises `Unauthenticated` when it has been used."""
        if self._used.get(token, now) > now:
            raise Unauthenticated("replayed", "signature: its token has been used before", final=True)
        self._used.pop(token, None)
        self._used[token] = until
        while len(self._used) > self._limit or (self._used and next(iter(self._used.values())) <= now):
            del self._used[next(iter(self._used))]

    def give_back(self, token: str) -> None:
        """Let the token be used again: what it came with was not taken."""
        self._used.pop(token, None)


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
    values = [
        headers.get(f"webhook-{name}") or headers.get(f"svix-{name}") for name in ("id", "timestamp", "signature")
    ]
    identity, timestamp, signatures = values
    if not (identity and timestamp and signatures):
        raise Unauthenticated("unsigned", "signature: missing")
    signed = f"{identity}.{timestamp}.".encode() + body
    expected = [b64encode(hmac.digest(_key(secret), signed, sha256)).decode() for secret in secrets]
    offered = [entry[3:] for entry in signatures.split()[:20] if entry.startswith("v1,")]
    if not _one_of(expected, offered):
        raise Unauthenticated("wrong", "signature: no key that is set made it")
    fresh(timestamp, now, past=tolerance, future=tolerance)


def mailgun(
    secrets: Iterable[str], signature: Any, *, now: datetime, max_age: timedelta, tolerance: timedelta
) -> tuple[str, datetime]:
    """Check Mailgun's signature, which covers time and token but not the body: whoever calls lets the token be used
    once. Return the token and until when it is good. Raises `Unauthenticated`.

    https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
    """
    fields = signature if isinstance(signature, Mapping) else {}
    timestamp, token, offered = (str(fields.get(name) or "") for name in ("timestamp", "token", "signature"))
    if not (timestamp and token and offered):
        raise Unauthenticated("unsigned", "signature: missing")
    signed = (timestamp + token).encode("utf-8", "replace")
    expected = [hmac.digest(secret.encode(), signed, sha256).hex() for secret in secrets]
    if not _one_of(expected, [offered]):
        raise Unauthenticated("wrong", "signature: no key that is set made it")
    return token, fresh(timestamp, now, past=max_age, future=tolerance) + max_age


def mandrill(secrets: Iterable[str], url: str, fields: Mapping[str, str], offered: str) -> None:
    """Check Mandrill's signature over the address and the sorted fields of the form. Raises `Unauthenticated`.

    https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/#authenticating-webhook-requests
    """
    signed = (url + "".join(name + fields[name] for name in sorted(fields))).encode()
    expected = [b64encode(hmac.digest(secret.encode(), signed, sha1)).decode() for secret in secrets]
    if not _one_of(expected, [offered]):
        raise Unauthenticated("wrong", "signature: no key that is set made it")


def is_sns_address(url: str) -> bool:
    """Tell whether this is an address of SNS itself, which alone may be visited or trusted for a certificate.

    https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
    """
    return bool(_SNS.match(url))


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
