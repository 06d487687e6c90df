"""The limit of each receiving domain: so many retry commands a minute; what exceeds it is due later."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)

TenantDomain = tuple[str, str]
"""Tenant and receiving domain."""


@dataclass(frozen=True, slots=True)
class Split:
    """What is issued now, and what is due later than it was."""

    now: list[bytes]
    postponed: dict[bytes, datetime]
    issued: dict[TenantDomain, int]
    """How many commands each domain gets now."""


def split(
    due: Iterable[tuple[bytes, TenantDomain]],
    issued: Mapping[TenantDomain, int],
    limits: Mapping[str, int],
    moment: datetime,
) -> Split:
    """Split what is due at this moment; `issued` says what each domain has had in this minute already.

    `limits` are commands a minute by tenant; 0 is no limit. What is postponed gets a later minute that still has room
    among what is postponed with it, and a second of that minute by its key: spread out, not all at once.
    """
    now: list[bytes] = []
    postponed: dict[bytes, datetime] = {}
    going: dict[TenantDomain, int] = defaultdict(int)
    waiting: dict[TenantDomain, int] = defaultdict(int)
    for recipient, domain in due:
        limit = limits[domain[0]]
        if not limit or issued.get(domain, 0) + going[domain] < limit:
            going[domain] += 1
            now.append(recipient)
        else:
            minutes = 1 + waiting[domain] // limit
            waiting[domain] += 1
            postponed[recipient] = minute_of(moment) + minutes * MINUTE + _second(recipient)
    return Split(now, postponed, {domain: number for domain, number in going.items() if number})


def minute_of(moment: datetime) -> datetime:
    """Return the minute that a moment lies in."""
    return moment.replace(second=0, microsecond=0)


def _second(recipient: bytes) -> timedelta:
    return MINUTE * (int.from_bytes(hashlib.sha256(recipient).digest()[:4], "big") / 2**32)
