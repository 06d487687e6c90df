"""What operators do with pending retries: drop them, make them wait again, make them due now."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from returpost.contracts import Id, Name, Reason, Text


class Action(StrEnum):
    """`drop`: request no further attempt. `run_now`: due now, as fast as the limit of the receiving domain allows.

    `resume`: undo a drop; each waits for the time at which it was due.
    """

    DROP = "drop"
    RUN_NOW = "run_now"
    RESUME = "resume"


class RetrySelection(BaseModel):
    """Which pending retries: all conditions must hold. `all` alone selects all of the tenant's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipients: Annotated[list[UUID], Field(min_length=1, max_length=10_000)] | None = None
    mailing: Id | None = None
    domain: Annotated[Text, Field(max_length=253)] | None = None
    reason: Reason | None = None
    sender: Name | None = None
    all: bool = False

    @model_validator(mode="after")
    def _not_empty(self) -> "RetrySelection":
        conditions = (self.recipients, self.mailing, self.domain, self.reason, self.sender)
        if self.all == any(value is not None for value in conditions):
            raise ValueError("specify at least one of recipients, mailing, domain, reason, sender; or all, alone")
        return self
