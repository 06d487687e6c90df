"""E-mail addresses: the one place that says when two of them are the same.

An address is kept as written but for its domain, which becomes a lower-case A-label, and without blanks around it and
a display name before it; two addresses are the same when their `key` is. (RFC 5321 section 2.4 lets a host tell `Ann@`
from `ann@`; none that receives mail does, and bounces come back in either form.)
"""

import re
import unicodedata
from functools import lru_cache

import idna

from returpost.errors import InvalidAddress

MAX_LOCAL_OCTETS = 64
"""RFC 5321 section 4.5.3.1.1."""
MAX_ADDRESS_OCTETS = 254
"""RFC 5321 section 4.5.3.1.3 allows a path of 256 octets, of which `<` and `>` take two."""

# RFC 5322 section 3.2.3 dot-atom, with the non-ASCII characters of RFC 6531 section 3.3. Real mailboxes have leading,
# trailing and double dots (docomo and au gave them out), so dots are plain characters here.
_ATOM = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~\u00a0-\ud7ff\ue000-\U0010ffff-]+\Z")
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*"\Z')
_HOSTNAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z"
)
_USUAL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=.{1,189}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+"
    r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z"
)
"""What nearly every address is: normalised already. 64 + 1 + 189 octets are within all limits."""
HIDDEN = "[address]"
_WRITTEN = re.compile(r'"[^"\n]{1,64}"@\S+|[^\s@]*@\S*')
_LITERAL = re.compile(r"\[(?:\d{1,3}(?:\.\d{1,3}){3}|ipv6:[0-9a-f:.]+)\]\Z")


def is_usual(text: str) -> bool:
    """Say whether the text is an address that is normalised already, at a glance; of a few it does not say so."""
    return bool(_USUAL.match(text))


def hide_addresses(text: str) -> str:
    """Return the text with `HIDDEN` in the place of each address, and of whatever stands together with one."""
    return _WRITTEN.sub(HIDDEN, text) if "@" in text else text


def normalise(text: str) -> str:
    """Return the address with its domain as a lower-case A-label and the rest as written.

    Of `Ann Berg <ann@example.com>` (RFC 5322 section 3.4) it is what stands between the brackets. Raises
    `InvalidAddress` with the reason when the text is no address (RFC 5321 section 4.1.2, RFC 6531).
    """
    if _USUAL.match(text):
        return text
    stripped = text.strip()
    if stripped.endswith(">") and "<" in stripped:
        stripped = stripped[:-1].rpartition("<")[2].strip()
    if len(stripped) > MAX_ADDRESS_OCTETS:
        raise InvalidAddress(f"address is longer than {MAX_ADDRESS_OCTETS} characters")
    local, at, domain = stripped.rpartition("@")
    if not at or not local or not domain:
        raise InvalidAddress("address needs a local part, one @ and a domain")
    if not local.isascii():
        local = unicodedata.normalize("NFC", local)
    if not (_ATOM.match(local) or _QUOTED.match(local)):
        raise InvalidAddress("address has characters before the @ that no mailbox name may have")
    if len(local.encode("utf-8", "surrogatepass")) > MAX_LOCAL_OCTETS:
        raise InvalidAddress(f"address has more than {MAX_LOCAL_OCTETS} octets before the @")
    return f"{local}@{_domain(domain)}"


def key(address: str) -> str:
    """Return what two spellings of the same address have in common; the form that tables are keyed by."""
    return address.lower()


def domain_of(address: str) -> str:
    """Return the domain of a normalised address."""
    return address.rpartition("@")[2]


@lru_cache(maxsize=65536)
def _domain(text: str) -> str:
    lowered = text.lower().rstrip(".")
    if lowered.isascii():
        if _HOSTNAME.match(lowered) or _LITERAL.match(lowered):
            return lowered
        raise InvalidAddress("address has a domain that is not a host name")
    try:
        return idna.encode(lowered, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise InvalidAddress(f"address has a domain that is not a host name: {error}") from None
