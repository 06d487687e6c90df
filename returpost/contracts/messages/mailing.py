"""Mailings."""

from typing import Annotated, ClassVar

from pydantic import Field

from returpost.contracts.messages.fields import Address, Contract, Id, Label, Time, Title

MAX_RECIPIENTS = 100_000
"""Recipients that one event names; more are told in several."""


class MailingUpsert(Contract):
    """Whoever sends tells what it knows of a mailing; what it leaves out stays."""

    TYPE: ClassVar[str] = "returpost.mailing.upsert.v1"

    mailing: Id
    name: Title | None = None
    subject: Label | None = None
    sent_at: Time | None = None
    """When it was sent, or is going to be."""
    recipients: Annotated[list[Address], Field(max_length=MAX_RECIPIENTS)] = Field(default_factory=list)
    """Recipients that it is going to have, besides those that were told of before."""
    time: Time
