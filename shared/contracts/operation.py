"""Bulk operations."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from shared.contracts.fields import Address, Contract, Id, Text, Time
from shared.vocabulary import Operation, OperationState


class OperationRequested(Contract):
    """Command: do this with all of these addresses. The event's id is the operation's."""

    TYPE: ClassVar[str] = "returpost.operation.requested.v1"

    operation: Operation
    addresses: Annotated[list[Address], Field(max_length=100_000)] = Field(default_factory=list)
    mailing: Id | None = None
    """Instead of addresses: all that were returned in this mailing."""
    parameters: Annotated[dict[str, Any], Field(default_factory=dict)]
    """What the operation needs besides, as `POST /v1/operations` has it."""
    by: Text
    note: Text = ""
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
