"""Mailings: what is known of them, and when one has to stop."""

from typing import Annotated, ClassVar

from pydantic import Field

from returpost.contracts.enums import BreachKind, BreachLevel, BreachScope
from returpost.contracts.messages.fields import Address, Contract, Id, Label, Name, Note, Text, Time, Title

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


class MailingBreached(Contract):
    """Too many recipients of a mailing bounced, complained or were refused for the sender's fault: a threshold of the
    tenant is crossed. Said once a mailing, kind and level; after the level `pause` follows `mailing.pause`."""

    TYPE: ClassVar[str] = "returpost.mailing.breached.v1"

    mailing: Id
    sender: Name
    """The system that sent it."""
    kind: BreachKind
    level: BreachLevel
    count: Annotated[int, Field(ge=1)]
    """Recipients that bounced, complained or were refused."""
    of_results: Annotated[int, Field(ge=1)]
    """Recipients out of which: those that were sent to; of complaints those that did not come back."""
    threshold: Annotated[float, Field(gt=0, le=1)]
    """The share from which on it is a breach."""
    time: Time
    """End of the minute in which it was crossed, by the times of the results."""
    scope: BreachScope = BreachScope.MAILING
    """Whose recipients are counted: those of the mailing, or of all mailings of the tenant."""


class _MailingCommand(Contract):
    DETAIL: ClassVar[str | None] = "sender"

    mailing: Id
    sender: Name
    """The system that sends it."""
    time: Time
    """Of two commands about a mailing the later one holds."""
    by: Text
    """A person, or `/returpost/actions`."""
    why: Note = ""


class MailingPause(_MailingCommand):
    """Command to the sender that sends a mailing: send no more of it until `mailing.resume`. Its retries wait."""

    TYPE: ClassVar[str] = "returpost.mailing.pause.v1"

    kind: BreachKind | None = None
    """The breach that paused it; none: a person did."""


class MailingResume(_MailingCommand):
    """Command to the sender that sends a mailing: go on with it. Its retries go on too."""

    TYPE: ClassVar[str] = "returpost.mailing.resume.v1"
