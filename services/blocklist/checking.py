"""Whom to skip: the check before a mailing, for one address, for thousands, and for files of any length."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from asyncpg import Record
from pydantic import BaseModel

from shared.addresses import key, normalise
from shared.database import queries
from shared.errors import InvalidAddress
from shared.vocabulary import BlockCause, Reason

Q = queries(Path(__file__).with_name("sql") / "check.sql")


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


async def check(source: Any, tenant: str, addresses: Iterable[str], stream: str | None, now: datetime) -> Checked:
    """Check addresses, however they are written; `source` is a pool or a connection."""
    forms, invalid = _read(addresses)
    rows = await source.fetch(Q["check"], tenant, list(forms), now, stream)
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


def _read(addresses: Iterable[str]) -> tuple[dict[str, list[str]], list[Invalid]]:
    """Return the forms in which each address was asked for, by its key, and what is no address."""
    forms: dict[str, list[str]] = defaultdict(list)
    invalid: list[Invalid] = []
    for written in dict.fromkeys(addresses):
        try:
            forms[key(normalise(written))].append(written)
        except InvalidAddress as error:
            invalid.append(Invalid.model_construct(address=written, problem=str(error)))
    return forms, invalid
