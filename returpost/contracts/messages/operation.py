"""Bulk operations."""

from datetime import date
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from returpost.contracts.enums import BlockCause, Operation, OperationState, Reason, Show, View
from returpost.contracts.messages.fields import Address, Contract, Id, Note, Text, Time


class Filter(BaseModel):
    """All rows of a view that are as told; what is not told narrows nothing, so what is not known is refused."""

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
    first: date | None = None
    """Returns, complaints or blocks of this day and later ones, in UTC."""
    last: date | None = None
    """Of this day and earlier ones."""
    cause: BlockCause | None = None
    """Of the block."""
    type: Literal["hard", "soft"] | None = None
    """Of the return."""
    status: Annotated[Text, Field(max_length=20)] | None = None
    """Of the recipient: ready, sent, delivered, soft_bounced, hard_bounced, opened, complained, unsubscribed."""
    name: Annotated[Text, Field(max_length=400)] | None = None
    """`value` of a group of names, or a name."""
    return_count: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """Of an address that is blocked."""
    q: Annotated[Text, Field(max_length=200)] = ""
    """Beginning of an address, or of words of name or company; after `@` of a domain, after `*` part of an address."""

    @model_validator(mode="after")
    def _of_one_mailing(self) -> Self:
        if self.view is View.RECIPIENTS and self.mailing is None:
            raise ValueError("mailing: name one; recipients are those of one mailing")
        return self

    def told(self) -> dict[str, Any]:
        """Return what was asked for, without what narrows nothing."""
        return self.model_dump(mode="json", exclude_defaults=True)


class OperationRequested(Contract):
    """Command: do this with all of these addresses, or all that a filter matches. The event's id is the operation's."""

    TYPE: ClassVar[str] = "returpost.operation.requested.v1"
    ATTRIBUTED: ClassVar[bool] = True

    operation: Operation
    addresses: Annotated[list[Address], Field(max_length=100_000)] = Field(default_factory=list)
    mailing: Id | None = None
    """Instead of addresses: all that were returned in this mailing."""
    filter: Filter | None = None
    """Instead of addresses: all that it matches when the command is taken."""
    parameters: Annotated[dict[str, Any], Field(default_factory=dict)]
    """What the operation needs besides, as `POST /v1/operations` has it."""
    by: Text
    note: Note = ""
    time: Time


class OperationProgressed(Contract):
    """So far."""

    TYPE: ClassVar[str] = "returpost.operation.progressed.v1"

    operation: Operation
    operation_id: Id
    state: OperationState = OperationState.RUNNING
    total: Annotated[int, Field(ge=0)]
    """Rows, those included that are going to be skipped."""
    done: Annotated[int, Field(ge=0)]
    """Rows of which it is settled what became of them."""
    time: Time


class OperationFinished(Contract):
    """It has ended, or was undone; `outcomes` counts the rows that are done, skipped and failed."""

    TYPE: ClassVar[str] = "returpost.operation.finished.v1"

    operation: Operation
    operation_id: Id
    state: OperationState
    total: Annotated[int, Field(ge=0)]
    outcomes: dict[Text, int]
    by: Text
    time: Time
