"""Whether a domain takes mail: asked of DNS, kept as long as DNS says, never more questions at once than agreed.

RFC 5321 section 5.1: MX, and where there is none the address records; RFC 7505: a null MX takes no mail.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver

MIN_TTL, MAX_TTL = 30.0, 86_400.0
NEGATIVE_TTL: Final = 300.0
"""Seconds that "no such domain" is kept; RFC 2308 section 5 allows up to three hours."""
UNKNOWN_TTL: Final = 10.0
"""Trouble passes."""
TIMEOUT: Final = 5.0
PARALLEL: Final = 100
CACHED: Final = 100_000


class Mail(StrEnum):
    """What DNS says of a domain."""

    ACCEPTS = "accepts"
    NO_DOMAIN = "domain_unknown"
    NO_MAIL_HOST = "no_mail_host"
    NULL_MX = "not_accepting"
    UNKNOWN = "dns_trouble"


@dataclass(frozen=True, slots=True)
class _Kept:
    mail: Mail
    until: float


class Domains:
    """Asks DNS about domains; one question a domain at a time, whoever asks."""

    def __init__(self, nameservers: Sequence[str] = (), port: int = 53, timeout: float = TIMEOUT) -> None:
        """Without name servers those of the machine are asked; a machine without any makes every domain unknown."""
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not nameservers)
        except dns.resolver.NoResolverConfiguration:
            self._resolver = dns.asyncresolver.Resolver(configure=False)
        if nameservers:
            self._resolver.nameservers = list(nameservers)
            self._resolver.port = port
        self._resolver.lifetime = timeout
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._asked: dict[str, asyncio.Future[Mail]] = {}
        self._slots = asyncio.Semaphore(PARALLEL)

    def known(self, domain: str) -> Mail | None:
        """Return what is known without asking."""
        kept = self._kept.get(domain)
        return kept.mail if kept is not None and kept.until > time.monotonic() else None

    async def look_up(self, domain: str) -> Mail:
        """Return whether the domain (lower-case A-label) takes mail. Never raises: trouble is `UNKNOWN`."""
        if (mail := self.known(domain)) is not None:
            return mail
        if (asked := self._asked.get(domain)) is None:
            asked = self._asked[domain] = asyncio.ensure_future(self._ask(domain))
            asked.add_done_callback(lambda _: self._asked.pop(domain, None))
        return await asyncio.shield(asked)

    async def _ask(self, domain: str) -> Mail:
        async with self._slots:
            mail, ttl = await self._resolve(domain)
        self._kept[domain] = _Kept(mail, time.monotonic() + min(MAX_TTL, max(MIN_TTL, ttl)) if ttl else 0.0)
        self._kept.move_to_end(domain)
        if len(self._kept) > CACHED:
            self._kept.popitem(last=False)
        return mail

    async def _resolve(self, domain: str) -> tuple[Mail, float]:
        try:
            answer = await self._resolver.resolve(f"{domain}.", "MX", search=False)
            hosts = [record.exchange for record in answer]
            ttl = float(answer.rrset.ttl) if answer.rrset else NEGATIVE_TTL
            return (Mail.NULL_MX if hosts == [dns.name.root] else Mail.ACCEPTS), ttl
        except dns.resolver.NXDOMAIN:
            return Mail.NO_DOMAIN, NEGATIVE_TTL
        except dns.resolver.NoAnswer:
            return await self._resolve_address(domain)
        except (dns.exception.DNSException, OSError, ValueError):
            return Mail.UNKNOWN, UNKNOWN_TTL

    async def _resolve_address(self, domain: str) -> tuple[Mail, float]:
        for kind in ("A", "AAAA"):
            try:
                answer = await self._resolver.resolve(f"{domain}.", kind, search=False)
                return Mail.ACCEPTS, float(answer.rrset.ttl) if answer.rrset else NEGATIVE_TTL
            except dns.resolver.NoAnswer:
                continue
            except dns.resolver.NXDOMAIN:
                return Mail.NO_DOMAIN, NEGATIVE_TTL
            except (dns.exception.DNSException, OSError, ValueError):
                return Mail.UNKNOWN, UNKNOWN_TTL
        return Mail.NO_MAIL_HOST, NEGATIVE_TTL
