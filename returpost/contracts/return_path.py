"""Return paths that prove which mailing and which recipient a bounce is of: `bounce+<token>@bounces.example.com`.

A token is made by whoever sends (`returpost.client.return_path`) and proved by ingest, with a key that both have. It
has no state, and takes the first of three forms that fits into the 64 octets of a local part (RFC 5321 section
4.5.3.1.1); all are of small letters, digits and `+ - _ . =`, since MTAs may lower-case what they pass on:

    a<mac>+<mailing>+<local>=<domain>    mailing and address can be read
    h<mac><hash>+<mailing>               the address is told by its keyed hash
    x<mac><hash><hash>                   mailing and address are told by their keyed hashes

`mac` is the first 80 bits of an HMAC-SHA256 over tenant and token, `hash` the first 64 bits of one over tenant and
address (or mailing), in Base32. A hash is not undone but compared: with the addresses and mailings that stand in the
report and in the message that it returns. The tenant is not written: a token of one tenant is none of another.
"""

import hmac
import re
from base64 import b32encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from returpost.contracts.addresses import MAX_LOCAL_OCTETS, normalise
from returpost.errors import InvalidAddress, InvalidSettings

MIN_KEY = 32
"""Characters."""

_MAC, _HASH = 16, 13
_PREFIX = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_MAILING = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_LOCAL = re.compile(r"[a-z0-9+=_-]+(?:\.[a-z0-9+=_-]+)*")
_TOKEN = re.compile(rf"[^+]*?[+-]([ahx])([a-z2-7]{{{_MAC}}})([a-z0-9+=._-]*)")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a token proves. What it tells by a hash is found by comparing it with what may be meant."""

    mailing: str | None
    recipient: str | None
    _key: bytes
    _tenant: str
    _mailing_hash: str = ""
    _recipient_hash: str = ""

    def mailing_among(self, names: Iterable[str]) -> str | None:
        """Return the mailing: the one that can be read, or the one of these that was meant."""
        return self.mailing or self._among(names, "mailing", self._mailing_hash)

    def recipient_among(self, addresses: Iterable[str]) -> str | None:
        """Return the address that was mailed: the one that can be read, or the one of these that was meant."""
        return self.recipient or self._among(addresses, "address", self._recipient_hash)

    def _among(self, candidates: Iterable[str], what: str, wanted: str) -> str | None:
        if not wanted:
            return None
        return next((one for one in candidates if _hash(self._key, self._tenant, what, one) == wanted), None)


def return_path(key: str, *, tenant: str, mailing: str, recipient: str, domain: str, prefix: str = "bounce") -> str:
    """Return the return path for one message to one recipient.

    Raises `InvalidSettings` for a key that is too short or a prefix that leaves no room, `InvalidAddress` for a
    recipient or a domain that is none.
    """
    secret = checked(key)
    address = normalise(recipient).lower()
    if not _PREFIX.fullmatch(prefix):
        raise InvalidSettings(f"prefix: {prefix!r}; small letters, digits, dots, hyphens and underscores")
    for form, body in _forms(secret, tenant, mailing, address):
        local = f"{prefix}+{form}{_mac(secret, tenant, form, body)}{body}"
        if len(local) <= MAX_LOCAL_OCTETS:
            return normalise(f"{local}@{domain}")
    raise InvalidSettings(f"prefix: {prefix!r} is too long")


def prove(path: str, *, tenant: str, keys: Sequence[str | bytes]) -> Claim | None:
    """Return what the token in the address proves, or None when there is none that one of the keys has made."""
    found = _TOKEN.fullmatch(path.rpartition("@")[0].lower())
    if not found:
        return None
    form, mac, body = found[1], found[2], found[3]
    for given in keys:
        key = given.encode() if isinstance(given, str) else given
        if hmac.compare_digest(_mac(key, tenant, form, body), mac):
            return _claim(key, tenant, form, body)
    return None


def checked(key: str) -> bytes:
    """Return the bytes of the key. Raises `InvalidSettings` when it is too short."""
    if len(key) < MIN_KEY:
        raise InvalidSettings(f"a key of return paths has at least {MIN_KEY} characters")
    return key.encode()


def _forms(key: bytes, tenant: str, mailing: str, address: str) -> Iterable[tuple[str, str]]:
    local, _, domain = address.rpartition("@")
    if _MAILING.fullmatch(mailing):
        if _LOCAL.fullmatch(local) and re.fullmatch(r"[a-z0-9.-]+", domain):
            yield "a", f"+{mailing}+{local}={domain}"
        yield "h", f"{_hash(key, tenant, 'address', address)}+{mailing}"
    yield "x", f"{_hash(key, tenant, 'mailing', mailing)}{_hash(key, tenant, 'address', address)}"


def _claim(key: bytes, tenant: str, form: str, body: str) -> Claim | None:
    if form == "a":
        mailing, _, path = body[1:].partition("+")
        local, _, domain = path.rpartition("=")
        try:
            return Claim(mailing, normalise(f"{local}@{domain}"), key, tenant)
        except InvalidAddress:
            return None
    if form == "h":
        return Claim(body[_HASH + 1 :], None, key, tenant, "", body[:_HASH])
    return Claim(None, None, key, tenant, body[:_HASH], body[_HASH:])


def _mac(key: bytes, tenant: str, form: str, body: str) -> str:
    return _short(key, f"token\0{tenant}\0{form}{body}", 10)


def _hash(key: bytes, tenant: str, what: str, value: str) -> str:
    text = value.lower() if what == "address" else value
    return _short(key, f"{what}\0{tenant}\0{text}", 8)


def _short(key: bytes, text: str, octets: int) -> str:
    digest = hmac.digest(key, text.encode("utf-8", "replace"), sha256)[:octets]
    return b32encode(digest).decode("ascii").rstrip("=").lower()
