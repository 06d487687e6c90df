"""What an operation is over: ticked addresses, ticked rows of a mailing, or all that a filter matches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.addresses import key
from shared.contracts import Address, Id

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
        return self.model_dump(mode="json", exclude_none=True)


@dataclass(frozen=True, slots=True)
class Source:
    """SQL that gives `address` and `mailing`, with the tenant as $2 and its own arguments from $3 on."""

    sql: str
    arguments: Sequence[Any] = ()


def source(chosen: Chosen, *, recipients: bool) -> Source:
    """Return the rows that were chosen: recipients of mailings, or addresses, each once."""
    found = _source(chosen)
    if recipients:
        return Source(f"SELECT DISTINCT address, mailing FROM ({found.sql}) AS f", found.arguments)  # noqa: S608
    return Source(f"SELECT DISTINCT address, NULL::text AS mailing FROM ({found.sql}) AS f", found.arguments)  # noqa: S608


def _source(chosen: Chosen) -> Source:
    if chosen.addresses is not None:
        keys = sorted({key(address) for address in chosen.addresses})
        return Source("SELECT unnest($3::text[]) AS address, NULL::text AS mailing", (keys,))
    if chosen.rows is not None:
        pairs = sorted({(key(row.address), row.mailing) for row in chosen.rows})
        columns = ([address for address, _ in pairs], [mailing for _, mailing in pairs])
        return Source("SELECT * FROM unnest($3::text[], $4::text[]) AS t (address, mailing)", columns)
    return Source(
        "SELECT address, mailing FROM recipients WHERE tenant = $2 AND mailing = $3 AND returned_at IS NOT NULL",
        (chosen.returned_in,),
    )
