"""The check of a new address: syntax first, then its domain, then what a person would notice."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from returpost.contracts import Validity
from returpost.contracts.addresses import MAX_ADDRESS_OCTETS
from returpost.validation.domains import Domains, Mail
from returpost.validation.lists import Lists, load
from returpost.validation.suggestion import Suggestions

_PROBLEMS = {
    Mail.NO_DOMAIN: "the domain does not exist",
    Mail.NULL_MX: "the domain says that it takes no mail (null MX)",
    Mail.NO_MAIL_HOST: "the domain has no mail server",
    Mail.UNKNOWN: "the domain could not be looked up now; ask again later",
}


AT_ONCE = 200
"""Addresses that are read without a pause: some 20 ms."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one address; `address` is the normalised one, or what was given when it is none."""

    given: str
    address: str
    validity: Validity
    reason: str | None = None
    """`syntax`, `domain_unknown`, `no_mail_host`, `not_accepting` or `dns_trouble`."""
    problem: str | None = None
    """The same for people."""
    suggestion: str | None = None
    role: bool = False
    """Stands for a function, such as `postmaster`."""
    disposable: bool = False
    """At a domain of addresses that are thrown away."""

    @property
    def score(self) -> float:
        """From 0 to 1: how far a mail to it is expected to reach the person who gave it.

        A rule of thumb: 0 for what is invalid, half for what DNS did not tell, for a likely slip and for a disposable
        address each, and a fifth off for a role.
        """
        if self.validity is Validity.INVALID:
            return 0.0
        doubts = (self.validity is Validity.UNKNOWN, self.suggestion is not None, self.disposable)
        return round(0.5 ** sum(doubts) * (0.8 if self.role else 1.0), 3)


class Validator:
    """Checks addresses; many at a time cost little more than their different domains."""

    def __init__(self, domains: Domains | None = None, lists: Lists | None = None) -> None:
        """Without `domains` the name servers of the machine are asked; without `lists` the packaged ones are read."""
        self._domains = domains or Domains()
        self._lists = lists or load()
        self._suggestions = Suggestions(self._lists.domains)

    async def validate(self, given: Sequence[str]) -> list[Finding]:
        """Return a finding for each address, in order. Trouble with DNS is `unknown`, never `invalid`."""
        read: list[Finding] = []
        for start in range(0, len(given), AT_ONCE):
            read += map(self._read, given[start : start + AT_ONCE])
            await asyncio.sleep(0)  # others want to be served meanwhile
        wanted = {found.address.rpartition("@")[2] for found in read if found.reason is None}
        asked = [domain for domain in wanted if self._domains.known(domain) is None]
        mail = {domain: found for domain in wanted if (found := self._domains.known(domain)) is not None}
        mail |= dict(zip(asked, await asyncio.gather(*map(self._domains.look_up, asked)), strict=True))
        return [self._judge(found, mail) for found in read]

    def _read(self, given: str) -> Finding:
        text = given.strip()
        try:
            # RFC 5322, 5321, 6531; as https://github.com/JoshData/python-email-validator does it, without its DNS.
            found = validate_email(text[: MAX_ADDRESS_OCTETS * 4], check_deliverability=False, strict=True)
        except EmailNotValidError as error:
            suggestion = self._suggest(text)
            return Finding(given, text, Validity.INVALID, "syntax", str(error), suggestion)
        local, domain = found.local_part, found.ascii_domain.lower()
        return Finding(
            given,
            f"{local}@{domain}",
            Validity.VALID,
            suggestion=self._suggest(f"{local}@{domain}"),
            role=local.partition("+")[0].lower() in self._lists.roles,
            disposable=self._is_disposable(domain),
        )

    def _judge(self, found: Finding, mail: dict[str, Mail]) -> Finding:
        if found.reason is not None:
            return found
        said = mail[found.address.rpartition("@")[2]]
        if said is Mail.ACCEPTS:
            return found
        validity = Validity.UNKNOWN if said is Mail.UNKNOWN else Validity.INVALID
        return Finding(
            found.given, found.address, validity, said.value, _PROBLEMS[said], found.suggestion, found.role,
            found.disposable,
        )  # fmt: skip

    def _suggest(self, text: str) -> str | None:
        local, at, domain = text.rpartition("@")
        if not at or not local:
            return None
        right = self._suggestions.of(domain.lower().rstrip("."))
        return f"{local}@{right}" if right else None

    def _is_disposable(self, domain: str) -> bool:
        labels = domain.split(".")
        return any(".".join(labels[n:]) in self._lists.disposable for n in range(len(labels) - 1))
