"""Whom to skip: the check before a mailing, for one address, for thousands, and for files of any length."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from itertools import chain
from typing import Any, Final, Literal

import asyncpg
import orjson
from asyncpg import Record
from pydantic import BaseModel

from returpost.contracts.addresses import key, normalise
from returpost.contracts.enums import BlockCause, Reason
from returpost.errors import InvalidAddress
from services.blocklist.checks import address_fast_path, repository
from services.blocklist.checks.bloom_filter import BloomFilters
from services.blocklist.checks.domains.domain import DomainBlock, DomainBlocks, with_domain
from services.blocklist.checks.domains.memory import KnownDomainBlocks
from shared.database.pool import Connection, Pool

NONE: Final = DomainBlocks(version=repository.ANY_VERSION)
MANY: Final = 1_000
"""Addresses from which on the filter is asked first, and two connections ask for half of those that are left each."""


class Skip(BaseModel):
    """One address to skip, as it was asked for."""

    address: str
    cause: BlockCause | Literal["erased"]
    """What blocks it; or, where the settings say so, that it was erased: then `since` is when."""
    reason: Reason | None
    since: datetime
    until: datetime | None = None
    also: list[BlockCause] | None = None
    """What else holds besides the cause."""
    domain: str | None = None
    """The domain, or the pattern of subdomains, that is blocked, where one is."""


class Invalid(BaseModel):
    """One that is no address; mailing it is of no use."""

    address: str
    problem: str


class Checked(BaseModel):
    """Whom to skip; all others may be mailed."""

    skip: list[Skip]
    invalid: list[Invalid]


async def check(
    source: Connection | Pool,
    tenant: str,
    addresses: Iterable[str],
    stream: str | None,
    now: datetime,
    bloom_filters: BloomFilters | None = None,
    domain_blocks: KnownDomainBlocks | None = None,
) -> bytes:
    """Check addresses, however they are written; `source` is a pool or a connection. Returns `Checked` as JSON.

    No objects are made of what is found: for thousands of them these would take longer than all else.
    """
    written, keys, invalid = _read(list(dict.fromkeys(addresses)))
    indexes: Iterable[int] = range(len(keys))
    if bloom_filters is not None and len(keys) > MANY and (found := await bloom_filters.at_hand(tenant)):
        indexes = found.among(keys)
    forms: dict[str, list[str]] = defaultdict(list)
    for n in indexes:
        forms[keys[n]].append(written[n])
    known = domain_blocks.at_hand(tenant) if domain_blocks is not None else NONE
    # What stands together is read together.
    rows = await _fetch(source, tenant, sorted(forms), now, stream, known.version)
    if domain_blocks is not None and rows and rows[-1]["address"] is None:
        known = await domain_blocks.read(source, tenant)
    skip = [
        {"address": form, "cause": cause, "reason": reason, "since": since, "until": until, "also": also}
        for address, cause, reason, since, until, also in rows
        if address is not None
        for form in forms[address]
    ]
    if known:
        of_domains = dict(known.among(keys, now))
        skip = _with_domains(skip, {written[n]: block for n, block in of_domains.items()})
    return orjson.dumps({"skip": skip, "invalid": invalid}, option=orjson.OPT_UTC_Z)


def _with_domains(skip: list[dict[str, Any]], blocks: dict[str, DomainBlock]) -> list[dict[str, Any]]:
    """Add whose domain is blocked, and to whom is skipped anyway that it is."""
    own = [with_domain(row, blocks.pop(row["address"])) if row["address"] in blocks else row for row in skip]
    return own + [{"address": address, **with_domain(None, block)} for address, block in blocks.items()]


async def _fetch(
    source: Connection | Pool, tenant: str, keys: list[str], now: datetime, stream: str | None, domains: int
) -> list[Record]:
    if len(keys) <= MANY or not isinstance(source, asyncpg.Pool):
        return await repository.to_skip(source, tenant, keys, now, stream, domains)
    half = len(keys) // 2
    first = repository.to_skip(source, tenant, keys[:half], now, stream)
    halves = (first, repository.to_skip(source, tenant, keys[half:], now, stream, domains))
    return list(chain.from_iterable(await asyncio.gather(*halves)))


def _read(addresses: list[str]) -> tuple[list[str], list[str], list[dict[str, str]]]:
    """Return what is an address, as it is written, its key at the same place, and what is none."""
    keys = address_fast_path.keys(("\n".join(addresses) + "\n").encode("utf-8", "surrogatepass"))
    if keys is not None and len(keys) == len(addresses):
        return addresses, keys, []
    written, keys, invalid = list[str](), list[str](), list[dict[str, str]]()
    for address in addresses:
        try:
            keys.append(key(normalise(address)))
            written.append(address)
        except InvalidAddress as error:
            invalid.append({"address": address, "problem": str(error)})
    return written, keys, invalid
