"""Patterns of domains: `example.com` is that domain, `*.example.com` all its subdomains, however deep, and not itself.

As in DNS (RFC 4592), whoever means a domain and what is below it names both. A domain is its lower-case A-label.
"""

from typing import Final

from returpost.contracts.addresses import domain_of, normalise
from returpost.errors import InvalidAddress

WILDCARD: Final = "*."


def normalise_pattern(text: str) -> str:
    """Return the pattern in the form that it is kept in. Raises `InvalidAddress` with the reason when it is none.

    An `@` before it, as lists of domains often have it, is left out.
    """
    stripped = text.strip().removeprefix("@")
    wildcard = WILDCARD if stripped.startswith(WILDCARD) else ""
    domain = stripped.removeprefix(WILDCARD)
    if not domain or "@" in domain or "*" in domain:
        raise InvalidAddress("domain: neither a domain, as example.com, nor its subdomains, as *.example.com")
    try:
        return wildcard + domain_of(normalise(f"a@{domain}"))
    except InvalidAddress as error:
        raise InvalidAddress(str(error).replace("address has a domain that", "domain:", 1)) from None


def patterns_of(domain: str) -> list[str]:
    """Return every pattern that a normalised domain is matched by, the closest first."""
    patterns, _, rest = [domain], *domain.partition(".")[1:]
    while rest:
        patterns.append(WILDCARD + rest)
        rest = rest.partition(".")[2]
    return patterns
