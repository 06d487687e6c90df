"""A view's filter as it is asked for: by the query of a view, or in what an operation is to be over."""

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from services.actions import text
from services.actions.views import Show, View, Wanted
from shared.contracts import Id, Text
from shared.vocabulary import BlockCause, Reason


class Filter(BaseModel):
    """All rows of a view that are as told; what is not told narrows nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    view: View
    mailing: Id | None = None
    """Of this mailing; none: of all, but recipients are always those of one."""
    show: Annotated[tuple[Show, ...], AfterValidator(lambda several: tuple(sorted(set(several))))] = ()
    """What became of them; of several any."""
    blocked: bool | None = None
    """Whose address is blocked now, or is not."""
    contact: bool | None = None
    """Whose address belongs to a contact, or does not."""
    reason: Reason | None = None
    domain: Annotated[Text, Field(max_length=254)] | None = None
    company: Annotated[Text, Field(max_length=400)] | None = None
    """`value` of a group of companies, or a name."""
    day: date | None = None
    """Of the return, the complaint or the block, in UTC."""
    cause: BlockCause | None = None
    """Of the block."""
    type: Literal["hard", "soft"] | None = None
    """Of the return."""
    q: Annotated[Text, Field(max_length=200)] = ""
    """Beginning of an address, or of words of name or company."""

    @model_validator(mode="after")
    def _of_one_mailing(self) -> Self:
        if self.view is View.RECIPIENTS and self.mailing is None:
            raise ValueError("mailing: name one; recipients are those of one mailing")
        return self

    def wanted(self, tenant: str) -> Wanted:
        """Return what this means to a tenant."""
        return Wanted(
            self.view,
            tenant,
            self.mailing,
            frozenset(self.show),
            self.blocked,
            self.contact,
            self.reason and self.reason.value,
            self.domain and self.domain.lower(),
            text.order_key(self.company),
            self.day.isoformat() if self.day else None,
            self.cause and self.cause.value,
            self.type,
            self.q.strip().lower() or None,
            text.query(tenant, self.q),
        )

    def told(self) -> dict[str, Any]:
        """Return what was asked for, without what narrows nothing."""
        return self.model_dump(mode="json", exclude_defaults=True)
