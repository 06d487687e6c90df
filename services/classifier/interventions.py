"""What operators do with pending retries: drop them, have them wait again, have them be due now."""

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from returpost.contracts import Id, Name, Reason, Text
from services.classifier.store import Q
from shared.messaging.unit_of_work import UnitOfWorkFactory

CHUNK = 5_000
"""Retries a transaction: short locks, so that bounces and dispatch go on meanwhile."""


class Action(StrEnum):
    """`drop`: ask for no further attempt. `hurry`: due now, as fast as the receiving domain's limit lets it.

    `resume`: undo a drop; each waits for the time at which it was due.
    """

    DROP = "drop"
    HURRY = "hurry"
    RESUME = "resume"


class Choice(BaseModel):
    """Which pending retries; what is named must all be true of them. All of the tenant's only by `all`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipients: Annotated[list[UUID], Field(min_length=1, max_length=10_000)] | None = None
    mailing: Id | None = None
    domain: Annotated[Text, Field(max_length=253)] | None = None
    reason: Reason | None = None
    sender: Name | None = None
    all: bool = False

    @model_validator(mode="after")
    def _something(self) -> "Choice":
        named = (self.recipients, self.mailing, self.domain, self.reason, self.sender)
        if self.all == any(value is not None for value in named):
            raise ValueError("name recipients, mailing, domain, reason or sender, or say all")
        return self

    def parameters(self) -> tuple[Any, ...]:
        """Return the parameters of the statements `choose` and `count_chosen`."""
        recipients = None if self.recipients is None else [recipient.bytes for recipient in self.recipients]
        domain = None if self.domain is None else self.domain.lower()
        return recipients, self.mailing, domain, self.reason, self.sender


async def count(uow_factory: UnitOfWorkFactory, tenant: str, action: Action, choice: Choice, now: datetime) -> int:
    """Return how many retries the action would change."""
    async with uow_factory.begin() as work:
        found: int = await work.connection.fetchval(Q["count_chosen"], tenant, action, now, *choice.parameters())
        return found


async def intervene(
    uow_factory: UnitOfWorkFactory, tenant: str, action: Action, choice: Choice, by: str, now: datetime
) -> int:
    """Do it, chunk by chunk, and return to how many; who did it is kept."""
    done = 0
    while True:
        async with uow_factory.begin() as work:
            rows = await work.connection.fetch(Q["choose"], tenant, action, now, *choice.parameters(), CHUNK)
            chosen = [row["recipient"] for row in rows]
            more = (now,) if action is Action.HURRY else ()
            await work.connection.execute(Q[action], chosen, *more)
            done += len(chosen)
            if len(chosen) < CHUNK:
                selection = json.dumps(choice.model_dump(mode="json", exclude_defaults=True))
                await work.connection.execute(Q["add_intervention"], tenant, now, by, action, selection, done)
                return done
