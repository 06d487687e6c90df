"""What the address tells that a report was sent to: a signed token (`returpost.contracts.return_path`), or VERP.

VERP (https://cr.yp.to/proto/verp.txt) has as many spellings as senders, so its patterns are data: RE2 expressions for
the part before the @, with the groups `local` and `domain`, and `mailing` where it is told. The first that matches
counts.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import re2

from returpost.bounces.mime.addresses import address
from returpost.contracts import return_path
from returpost.errors import InvalidSettings

VERP = (
    # bounces+<mailing>+user=example.com, owner-news+user=example.com (Postfix, Mailman, Sympa)
    r"[a-z0-9._-]*(?:bounces?|returns?|verp|owner|errors?)[a-z0-9._-]*\+(?:(?P<mailing>[^+=]{1,100})\+)?(?P<local>[^=]+)=(?P<domain>[a-z0-9.-]+\.[a-z0-9-]{2,})",
    # list-return-<number>-user=example.com (ezmlm)
    r"[a-z0-9._-]*(?:bounces?|returns?|verp|owner|errors?)[a-z0-9._]*-(?:(?P<mailing>[0-9][^-+=]{0,100})-)?(?P<local>[^=]+)=(?P<domain>[a-z0-9.-]+\.[a-z0-9-]{2,})",
)
_GROUPS = {"local", "domain"}
_LOOKS_SIGNED = re.compile(r"(?i)[^+]*[+-](?:a[a-z2-7]{16}\+|h[a-z2-7]{29}\+|x[a-z2-7]{42}\Z)")
_BATV = re.compile(r"(?i)\Aprvs=[0-9a-z]{10}=")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a return path tells. `claim` is what a signed one proves, part of which may still have to be compared."""

    mailing: str | None = None
    recipient: str | None = None
    claim: return_path.Claim | None = None

    @property
    def told(self) -> bool:
        """Whether anything is."""
        return self.recipient is not None or self.claim is not None

    def among(self, mailings: Iterable[str], addresses: Iterable[str]) -> "Envelope":
        """Return the same with what a hash of the claim stands for, out of these."""
        if not self.claim or (self.mailing and self.recipient):
            return self
        claim = self.claim
        return Envelope(claim.mailing_among(mailings), claim.recipient_among(addresses), claim)


@dataclass(frozen=True)
class ReturnPaths:
    """How return paths are read for one tenant: by which keys, of which all are good, and by which VERP patterns."""

    tenant: str = ""
    keys: tuple[str, ...] = ()
    patterns: tuple[str, ...] = VERP

    def of(self, tenant: str) -> "ReturnPaths":
        """Return how this tenant's are read: what is signed for another is none of its."""
        return ReturnPaths(tenant, self.keys, self.patterns)

    def may_tell(self, text: str) -> bool:
        """Say whether there can be a return path in the text that tells anything, at a glance."""
        return bool(self.keys) or "=" in text or self.patterns != VERP

    def read(self, path: str) -> Envelope:
        """Return what the address tells; nothing when it is signed and the signature is none of ours."""
        local = _BATV.sub("", path.rpartition("@")[0])
        if _LOOKS_SIGNED.match(local):
            claim = return_path.prove(f"{local}@", tenant=self.tenant, keys=self.keys)
            return Envelope(claim.mailing, claim.recipient, claim) if claim else Envelope()
        if "=" not in local and self.patterns == VERP:
            return Envelope()
        for pattern in self._compiled:
            if found := pattern.search(local):
                groups = found.groupdict()
                if recipient := address(f"{groups['local']}@{groups['domain']}"):
                    return Envelope(groups.get("mailing"), recipient)
        return Envelope()

    @cached_property
    def _compiled(self) -> tuple[Any, ...]:
        return tuple(_compile(pattern) for pattern in self.patterns)


def configured(keys: str, patterns: str) -> ReturnPaths:
    """Return how return paths are read by settings: keys by commas, VERP patterns by white space, which go before the
    usual ones. Raises `InvalidSettings`.
    """
    given = tuple(key.strip() for key in keys.split(",") if key.strip())
    for key in given:
        return_path.checked(key)
    return ReturnPaths(keys=given, patterns=(*checked(patterns.split()), *VERP))


def checked(patterns: Iterable[str]) -> tuple[str, ...]:
    """Return the patterns. Raises `InvalidSettings` for one that is no expression or has not the groups."""
    found = tuple(patterns)
    for pattern in found:
        if not set(_compile(pattern).groupindex) >= _GROUPS:
            raise InvalidSettings(f"VERP pattern {pattern!r}: it has the groups local and domain, and may have mailing")
    return found


def _compile(pattern: str) -> Any:
    try:
        return re2.compile(f"(?i)^(?:{pattern})$")
    except re2.error as error:
        raise InvalidSettings(f"VERP pattern {pattern!r}: {error}") from None
