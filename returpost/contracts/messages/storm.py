"""Storms: one fault of the sender, receiving domain or sending host suddenly makes most bounces of a tenant."""

from typing import Annotated, ClassVar

from pydantic import Field

from returpost.contracts.enums import StormKind
from returpost.contracts.messages.fields import Contract, Id, Text, Time


class StormStarted(Contract):
    """From `time` on bounces by this no longer count; what it blocked since `begun` can be lifted in one go."""

    TYPE: ClassVar[str] = "returpost.storm.started.v1"

    storm: Id
    kind: StormKind
    value: Text
    """The reason, the domain or the address of the host."""
    begun: Time
    time: Time
    bounces: Annotated[int, Field(ge=0)]
    of_bounces: Annotated[int, Field(ge=0)]
    """All bounces of the tenant in the same time."""


class StormEnded(Contract):
    """It is over: bounces from `time` on count again."""

    TYPE: ClassVar[str] = "returpost.storm.ended.v1"

    storm: Id
    kind: StormKind
    value: Text
    begun: Time
    time: Time
