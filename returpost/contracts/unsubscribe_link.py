"""One-click unsubscribe links (RFC 8058): `https://mail.example.com/u/<token>`.

A token is made by whoever sends (`returpost.client.headers`) and read by ingest, with the keys of signed return paths.
It says whose address, of which mailing and stream, and until when; no state is kept. It is sealed, since URLs stand in
the logs of every server between: a synthetic IV (the first 16 octets of an HMAC-SHA256 over the text, as in RFC 5297
section 2.6) and the text under a key stream of SHAKE-256 over key and IV, in Base64url. Who has no key can neither make
nor read one, and the text is compared with its IV when it is read.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256, shake_256
from typing import Final

from returpost.contracts.addresses import normalise
from returpost.contracts.return_path import checked
from returpost.errors import InvalidAddress

MAX_TOKEN: Final = 4_000
"""Characters: an address has at most 254 octets, a mailing 200 characters."""
_IV: Final = 16


@dataclass(frozen=True, slots=True)
class UnsubscribeLink:
    """What a token says."""

    tenant: str
    address: str
    mailing: str
    stream: str | None
    """From what it unsubscribes; none: from everything."""
    expires: datetime


def seal(key: str, link: UnsubscribeLink) -> str:
    """Return the token. Raises `InvalidSettings` for a key that is too short, `InvalidAddress` for no address."""
    secret, expires = checked(key), int(link.expires.timestamp())
    values = [link.tenant, normalise(link.address), link.mailing, link.stream, expires]
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
    iv = _iv(secret, text)
    return urlsafe_b64encode(iv + _crypt(secret, iv, text)).decode("ascii").rstrip("=")


def unseal(token: str, keys: Sequence[str], now: datetime) -> UnsubscribeLink | None:
    """Return what a token says; nothing when none of the keys made it, it is not whole, or its time is over."""
    try:
        sealed = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4)) if len(token) <= MAX_TOKEN else b""
    except ValueError:
        return None
    iv, body = sealed[:_IV], sealed[_IV:]
    for key in keys:
        secret = key.encode()
        text = _crypt(secret, iv, body)
        if len(iv) == _IV and hmac.compare_digest(_iv(secret, text), iv):
            return _read(text, now)
    return None


def _read(text: bytes, now: datetime) -> UnsubscribeLink | None:
    try:
        tenant, address, mailing, stream, expires = json.loads(text)
        link = UnsubscribeLink(tenant, normalise(address), mailing, stream, datetime.fromtimestamp(expires, UTC))
    except (ValueError, TypeError, OverflowError, InvalidAddress):
        return None
    return link if link.expires > now else None


def _iv(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, b"unsubscribe link\0" + text, sha256)[:_IV]


def _crypt(key: bytes, iv: bytes, text: bytes) -> bytes:
    secret = hmac.digest(key, b"unsubscribe stream\0", sha256)
    stream = shake_256(secret + iv).digest(len(text))
    return bytes(a ^ b for a, b in zip(text, stream, strict=True))
