"""The platform itself: tokens that are revoked or end, consumers that pause, what people are alerted to."""

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from returpost.contracts.enums import AlertKind, Severity
from returpost.contracts.messages.fields import Contract, Id, Label, Note, Text, Time

Cause = Literal["operator", "failing"]


class ConsumerPaused(Contract):
    """A service takes nothing more from a queue: an operator paused it, or too many of its events fail."""

    TYPE: ClassVar[str] = "returpost.consumer.paused.v1"
    DETAIL: ClassVar[str | None] = "cause"

    queue: Label
    cause: Cause
    """failing: it tries one event from time to time, and goes on by itself when one succeeds."""
    time: Time
    by: Label = ""
    """The operator."""
    why: Note = ""
    error: Label = ""
    """Type of the exception of the last event that failed."""
    fingerprint: Label = ""
    """Of its dead letter, and of those that failed alike."""
    event: Text = ""
    """Its id."""


class ConsumerResumed(Contract):
    """A service takes from a queue again: an operator resumed it, or its events succeed again."""

    TYPE: ClassVar[str] = "returpost.consumer.resumed.v1"
    DETAIL: ClassVar[str | None] = "cause"

    queue: Label
    cause: Cause
    """What had paused it, or failing."""
    time: Time
    by: Label = ""
    """The operator."""
    why: Note = ""


class ConsumerDrained(Contract):
    """An operator had messages of a paused queue put to the dead letters."""

    TYPE: ClassVar[str] = "returpost.consumer.drained.v1"

    queue: Label
    time: Time
    messages: int
    by: Label
    why: Note


class TokenRevoked(Contract):
    """A token, or the session of somebody who signed out or was shut out, is refused from now on.

    It is said again once a day until the token would have ended by itself.
    """

    TYPE: ClassVar[str] = "returpost.token.revoked.v1"

    token: Id
    """Its id, `jti` of the token; who has it knows nothing else of the token."""
    expires_at: Time


class DeadLetterGroupOpened(Contract):
    """Messages fail in a way in which none that is dead has failed: the first dead letter of a fingerprint."""

    TYPE: ClassVar[str] = "returpost.dead-letter-group.opened.v1"

    fingerprint: Label
    """The same for all that fail alike."""
    queue: Label
    error: Label
    """Type of the exception; what it says may hold an address, and stays with the dead letter."""
    dead_letter: Id
    time: Time


class SecretExpiring(Contract):
    """A token, a secret or a certificate ends soon; whoever uses it needs the next one by then."""

    TYPE: ClassVar[str] = "returpost.secret.expiring.v1"

    secret: Id
    """Its id, which tells nothing of it."""
    kind: Literal["token", "webhook-secret", "certificate"]
    name: Label
    expires_at: Time
    time: Time


class AlertRaised(Contract):
    """People are told of something: what a channel that is a webhook is posted. It goes to that receiver alone."""

    TYPE: ClassVar[str] = "returpost.alert.raised.v1"

    alert: Id
    """The same for the same cause, however often it is said."""
    kind: AlertKind
    severity: Severity
    title: Text
    text: Text
    link: Text = ""
    """The page that helps, where the installation says where its console is."""
    command: Text = ""
    """The command that helps."""
    facts: dict[Text, Text] = Field(default_factory=dict)
    time: Time


class AlertTested(Contract):
    """Somebody tries out a channel that is a webhook; it goes to that receiver alone."""

    TYPE: ClassVar[str] = "returpost.alert.tested.v1"

    channel: Label
    time: Time
    by: Text


class ReportDay(BaseModel):
    """What happened on one day."""

    model_config = ConfigDict(frozen=True)

    day: date
    sent: Annotated[int, Field(ge=0)]
    hard: Annotated[int, Field(ge=0)]
    soft: Annotated[int, Field(ge=0)]
    complained: Annotated[int, Field(ge=0)]


class ReportPrepared(Contract):
    """The figures of a week, from Monday to Sunday in UTC, as the overview has them. It is said again during the next
    week; the first time holds."""

    TYPE: ClassVar[str] = "returpost.report.prepared.v1"

    first: date
    last: date
    totals: dict[Text, int]
    """Recipients by what became of them: sent, delivered, hard, soft, complained, unsubscribed, recovered."""
    before: dict[Text, int]
    """The same of the week before."""
    days: Annotated[list[ReportDay], Field(max_length=7)]
    reasons: dict[Text, int]
    """Bounces by reason, the most frequent ones."""
    domains: dict[Text, int]
    """Bounces by receiving domain, the most frequent ones."""
    blocked: Annotated[int, Field(ge=0)]
    lifted: Annotated[int, Field(ge=0)]
    time: Time
