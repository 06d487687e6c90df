"""The target of an operation: named addresses or recipients, or all rows of a view that match a filter."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from returpost.contracts import Address, Filter, Id
from returpost.contracts.addresses import hide_addresses, key, normalise
from returpost.errors import InvalidAddress
from services.actions.views.domain import View, view_query
from services.actions.views.view_queries import ViewSql

MAX_NAMED = 100_000
_WHOLE = re.compile(r"[^\s@*]@[^\s@]")


class RecipientRow(BaseModel):
    """A recipient of a mailing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mailing: Id
    address: Address


class Target(BaseModel):
    """Exactly one of these."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    addresses: Annotated[list[Address], Field(min_length=1, max_length=MAX_NAMED)] | None = None
    rows: Annotated[list[RecipientRow], Field(min_length=1, max_length=MAX_NAMED)] | None = None
    returned_in: Id | None = None
    """All that were returned in this mailing."""
    filter: Filter | None = None
    """All rows of a view that match a filter, as they are when the operation is previewed."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set & set(type(self).model_fields)) != 1:
            raise ValueError(f"name one of {', '.join(type(self).model_fields)}")
        return self

    @property
    def names_rows(self) -> bool:
        """Whether addresses or recipients are named; else they are found."""
        return self.addresses is not None or self.rows is not None

    def without_addresses(self) -> dict[str, Any]:
        """Return what is stored of it: no named address."""
        if self.addresses is not None:
            return {"addresses": len(self.addresses)}
        if self.rows is not None:
            return {"rows": len(self.rows)}
        if self.filter is not None:
            return {"filter": _without_addresses(self.filter.told())}
        return {"returned_in": self.returned_in}

    def matching(self) -> Filter:
        """Return the filter of a target that names no addresses or rows."""
        return self.filter or Filter(view=View.RETURNED, mailing=self.returned_in)

    def mailing(self) -> str | None:
        """Return the one mailing that it is about."""
        return None if self.addresses or self.rows else self.matching().mailing


def _without_addresses(filter_: dict[str, Any]) -> dict[str, Any]:
    """Return a filter as it is stored. A search for an address is written as addresses are, by which an erasure finds
    it; other texts hold no address. A search for a domain (`@example.com`) is none.
    """
    return {
        name: _stored(name, value) if isinstance(value, str) and _WHOLE.search(value) else value
        for name, value in filter_.items()
    }


def _stored(name: str, text: str) -> str:
    try:
        return normalise(text) if name == "q" else hide_addresses(text)
    except InvalidAddress:
        return hide_addresses(text)


@dataclass(frozen=True, slots=True)
class Source:
    """SQL that selects `address` and `mailing`, with its own arguments from $3 on."""

    sql: str
    arguments: Sequence[Any] = ()


def source(target: Target, tenant: str, *, recipients: bool) -> Source:
    """Return the rows of a target: recipients of mailings, or addresses, each once."""
    found = _source(target, tenant)
    if recipients:
        return Source(f"SELECT DISTINCT address, mailing FROM ({found.sql}) AS f", found.arguments)  # noqa: S608
    return Source(f"SELECT DISTINCT address, NULL::text AS mailing FROM ({found.sql}) AS f", found.arguments)  # noqa: S608


def _source(target: Target, tenant: str) -> Source:
    if target.addresses is not None:
        keys = sorted({key(address) for address in target.addresses})
        return Source("SELECT unnest($3::text[]) AS address, NULL::text AS mailing", (keys,))
    if target.rows is not None:
        pairs = sorted({(key(row.address), row.mailing) for row in target.rows})
        arrays = ([address for address, _ in pairs], [mailing for _, mailing in pairs])
        return Source("SELECT * FROM unnest($3::text[], $4::text[]) AS t (address, mailing)", arrays)
    before = (None, None)
    statement = ViewSql(view_query(target.matching(), tenant)).targets(before)
    return Source(statement.sql, statement.arguments[len(before) :])
