"""No herd on one receiving domain: of what is due at once, each domain gets so much a minute, the rest comes later."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)

Place = tuple[str, str]
"""Tenant and receiving domain."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What goes now, and what is due later than it was."""

    now: list[bytes]
    later: dict[bytes, datetime]
    issued: dict[Place, int]
    """How many commands each place gets now."""


def share(
    due: Iterable[tuple[bytes, Place]], issued: Mapping[Place, int], limits: Mapping[str, int], moment: datetime
) -> Shared:
    """Share out what is due at this moment; `issued` says what each place has had in this minute already.

    `limits` are commands a minute by tenant; 0 is no limit. Whoever has to wait gets a minute that still has room among
    those who wait with it, and a second of that minute by its own key: a queue, not a second herd.
    """
    now: list[bytes] = []
    later: dict[bytes, datetime] = {}
    going: dict[Place, int] = defaultdict(int)
    waiting: dict[Place, int] = defaultdict(int)
    for recipient, place in due:
        limit = limits[place[0]]
        if not limit or issued.get(place, 0) + going[place] < limit:
            going[place] += 1
            now.append(recipient)
        else:
            minutes = 1 + waiting[place] // limit
            waiting[place] += 1
            later[recipient] = minute_of(moment) + minutes * MINUTE + _second(recipient)
    return Shared(now, later, {place: number for place, number in going.items() if number})


def minute_of(moment: datetime) -> datetime:
    """Return the minute that a moment lies in."""
    return moment.replace(second=0, microsecond=0)


def _second(recipient: bytes) -> timedelta:
    return MINUTE * (int.from_bytes(hashlib.sha256(recipient).digest()[:4], "big") / 2**32)
