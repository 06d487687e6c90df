"""Ask before a mailing whom to skip."""

from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.blocklist.api.access import MAX_ADDRESSES, Checker, Tenant
from shared.addresses import key, normalise
from shared.contracts import Name
from shared.database import queries
from shared.errors import InvalidAddress
from shared.vocabulary import BlockCause, Reason

Q = queries(Path(__file__).parents[1] / "sql" / "check.sql")

router = APIRouter()


class Asked(BaseModel):
    """Addresses as anybody writes them."""

    addresses: Annotated[list[str], Field(min_length=1, max_length=MAX_ADDRESSES)]
    stream: Name | None = None
    """What kind of mail it will be; a tenant may spare a stream from some blocks."""


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


@router.post("/check")
async def check(request: Request, caller: Checker, asked: Asked, tenant: Tenant = None) -> Checked:
    """Ask before a mailing whom to skip, and why."""
    owner = caller.tenant_for(tenant)
    forms, invalid = _read(asked.addresses)
    state = request.app.state
    rows = await state.service.pool.fetch(Q["check"], owner, list(forms), state.clock(), asked.stream)
    skip = [
        Skip.model_construct(
            address=form,
            cause=BlockCause(row["cause"]),
            reason=row["reason"] and Reason(row["reason"]),
            since=row["since"],
            until=row["until"],
        )
        for row in rows
        for form in forms[row["address"]]
    ]
    return Checked.model_construct(skip=skip, invalid=invalid)


def _read(addresses: list[str]) -> tuple[dict[str, list[str]], list[Invalid]]:
    """Return the forms in which each address was asked for, by its key, and what is no address."""
    forms: dict[str, list[str]] = defaultdict(list)
    invalid: list[Invalid] = []
    for written in dict.fromkeys(addresses):
        try:
            forms[key(normalise(written))].append(written)
        except InvalidAddress as error:
            invalid.append(Invalid.model_construct(address=written, problem=str(error)))
    return forms, invalid
