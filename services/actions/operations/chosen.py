"""What an operation is over: ticked addresses, ticked rows of a mailing, or all of a view that a filter matches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from returpost.contracts import Address, Filter, Id
from returpost.contracts.addresses import key
from services.actions.filters import wanted
from services.actions.plans import Plan
from services.actions.views import View

MOST_TICKED = 100_000


class Ticked(BaseModel):
    """One row: a recipient of a mailing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mailing: Id
    address: Address


class Chosen(BaseModel):
    """One of these, not several."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    addresses: Annotated[list[Address], Field(min_length=1, max_length=MOST_TICKED)] | None = None
    rows: Annotated[list[Ticked], Field(min_length=1, max_length=MOST_TICKED)] | None = None
    returned_in: Id | None = None
    """All that were returned in this mailing."""
    filter: Filter | None = None
    """All rows of a view that a filter matches, as they are when this is asked for."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set & set(type(self).model_fields)) != 1:
            raise ValueError(f"name one of {', '.join(type(self).model_fields)}")
        return self

    def without_addresses(self) -> dict[str, Any]:
        """Return what is kept of it: no address that was ticked."""
        if self.addresses is not None:
            return {"addresses": len(self.addresses)}
        if self.rows is not None:
            return {"rows": len(self.rows)}
        if self.filter is not None:
            return {"filter": self.filter.told()}
        return {"returned_in": self.returned_in}

    def matching(self) -> Filter:
        """Return the filter of what was not ticked."""
        return self.filter or Filter(view=View.RETURNED, mailing=self.returned_in)

    def mailing(self) -> str | None:
        """Return the one mailing that it is about."""
        return None if self.addresses or self.rows else self.matching().mailing


@dataclass(frozen=True, slots=True)
class Source:
    """SQL that gives `address` and `mailing`, with its own arguments from $3 on."""

    sql: str
    arguments: Sequence[Any] = ()


def source(chosen: Chosen, tenant: str, *, recipients: bool) -> Source:
    """Return the rows that were chosen: recipients of mailings, or addresses, each once."""
    found = _source(chosen, tenant)
    if recipients:
        return Source(f"SELECT DISTINCT address, mailing FROM ({found.sql}) AS f", found.arguments)  # noqa: S608
    return Source(f"SELECT DISTINCT address, NULL::text AS mailing FROM ({found.sql}) AS f", found.arguments)  # noqa: S608


def _source(chosen: Chosen, tenant: str) -> Source:
    if chosen.addresses is not None:
        keys = sorted({key(address) for address in chosen.addresses})
        return Source("SELECT unnest($3::text[]) AS address, NULL::text AS mailing", (keys,))
    if chosen.rows is not None:
        pairs = sorted({(key(row.address), row.mailing) for row in chosen.rows})
        columns = ([address for address, _ in pairs], [mailing for _, mailing in pairs])
        return Source("SELECT * FROM unnest($3::text[], $4::text[]) AS t (address, mailing)", columns)
    taken = (None, None)
    statement = Plan(wanted(chosen.matching(), tenant)).chosen(taken)
    return Source(statement.sql, statement.arguments[len(taken) :])
