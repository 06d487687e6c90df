"""Suppressions that say something of a person and not of bounces: unsubscribes, and former employees."""

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from returpost.contracts.enums import BlockCause
from returpost.contracts.messages.fields import Address, Contract, Id, Name, Text, Time

SuppressionCause: TypeAlias = Literal[BlockCause.UNSUBSCRIBED, BlockCause.FORMER_EMPLOYEE]


class _Suppression(Contract):
    addresses: Annotated[list[Address], Field(min_length=1, max_length=10_000)]
    cause: SuppressionCause
    stream: Name | None = None
    """Of an unsubscribe: from what; none: from everything. Former employees are skipped by all streams."""
    time: Time
    by: Text
    note: Text = ""
    operation: Id | None = None


class SuppressionSet(_Suppression):
    """Command: skip these addresses for a cause that no clear and no delivery lifts."""

    TYPE: ClassVar[str] = "returpost.suppression.set.v1"


class SuppressionLift(_Suppression):
    """Command: this cause no longer holds as of `time`; others stay."""

    TYPE: ClassVar[str] = "returpost.suppression.lift.v1"


class SubscriptionConfirmed(Contract):
    """The owner of an address has subscribed (again): earlier unsubscribes from the same no longer hold.

    Without `stream`, to everything; with it, the stream may be mailed even where everything else is unsubscribed from.
    """

    TYPE: ClassVar[str] = "returpost.subscription.confirmed.v1"

    address: Address
    stream: Name | None = None
    time: Time
    """When it was confirmed; an unsubscribe at the same moment or later stays."""
    source: Text = ""
    """The form or system that it came by."""
