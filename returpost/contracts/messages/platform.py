"""The platform itself: tokens that are revoked, consumers that pause."""

from typing import ClassVar, Literal

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
