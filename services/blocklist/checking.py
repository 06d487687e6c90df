"""Whom to skip: the check before a mailing, for one address, for thousands, and for files of any length."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, Final

import asyncpg
from asyncpg import Record
from pydantic import BaseModel

from services.blocklist import plain
from services.blocklist.prefilter import Prefilters
from shared.addresses import key, normalise
from shared.database import queries
from shared.errors import InvalidAddress
from shared.vocabulary import BlockCause, Reason

Q = queries(Path(__file__).with_name("sql") / "check.sql")

MANY: Final = 1_000
"""Addresses from which on the filter is asked first, and two connections ask for half of those that are left each."""


class Skip(BaseModel):
    """One address to skip, as it was asked for."""

    address: str
    cause: BlockCause
    reason: Reason | None
    since: datetime
    until: datetime | None = None


class Invalid(BaseModel):
    """One that is no address; mailing it is of no use."""

    address: str
    problem: str


class Checked(BaseModel):
    """Whom to skip; all others may be mailed."""

    skip: list[Skip]
    invalid: list[Invalid]


async def check(
    source: Any,
    tenant: str,
    addresses: Iterable[str],
    stream: str | None,
    now: datetime,
    prefilters: Prefilters | None = None,
) -> Checked:
    """Check addresses, however they are written; `source` is a pool or a connection."""
    forms, invalid = _read(list(dict.fromkeys(addresses)))
    keys = list(forms)
    if prefilters is not None and len(keys) > MANY and (found := await prefilters.at_hand(tenant)):
        keys = [keys[place] for place in found.among(keys)]
    keys.sort()  # what stands together in the index is read together
    if len(keys) > MANY and isinstance(source, asyncpg.Pool):
        half = len(keys) // 2
        halves = (source.fetch(Q["check"], tenant, part, now, stream) for part in (keys[:half], keys[half:]))
        rows = list(chain.from_iterable(await asyncio.gather(*halves)))
    else:
        rows = await source.fetch(Q["check"], tenant, keys, now, stream)
    skip = [_skip(form, row) for row in rows for form in forms[row["address"]]]
    return Checked.model_construct(skip=skip, invalid=invalid)


def _skip(form: str, row: Record) -> Skip:
    return Skip.model_construct(
        address=form,
        cause=BlockCause(row["cause"]),
        reason=row["reason"] and Reason(row["reason"]),
        since=row["since"],
        until=row["until"],
    )


def _read(addresses: Sequence[str]) -> tuple[dict[str, list[str]], list[Invalid]]:
    """Return the forms in which each address was asked for, by its key, and what is no address."""
    forms: dict[str, list[str]] = defaultdict(list)
    invalid: list[Invalid] = []
    keys = plain.keys("".join([f"{address}\n" for address in addresses]).encode("utf-8", "surrogatepass"))
    if keys is not None and len(keys) == len(addresses):
        for place, written in zip(keys, addresses, strict=True):
            forms[place].append(written)
        return forms, invalid
    for written in addresses:
        try:
            forms[key(normalise(written))].append(written)
        except InvalidAddress as error:
            invalid.append(Invalid.model_construct(address=written, problem=str(error)))
    return forms, invalid
