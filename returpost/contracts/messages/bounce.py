"""Failed deliveries: the evidence, the verdict, the retry."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from returpost.contracts.enums import Command, Fault, Kind, Reason, RecipientSource, VerdictType
from returpost.contracts.messages.fields import (
    Address,
    Contract,
    Diagnostic,
    EnhancedStatus,
    Id,
    Ip,
    Name,
    ReplyCode,
    Text,
    Time,
)

DEAD_FROM_CONFIDENCE = 0.75
"""From which confidence on a dead address may be blocked at once: that of a status alone, and what is surer.

Below stand a noun and a verb somewhere in a text that no rule knows (`fallback.toml`)."""


class Evidence(BaseModel):
    """All that is known of one delivery attempt, for the classifier and for whoever asks why."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: Kind = Kind.FAILURE
    reply_code: ReplyCode | None = None
    status: EnhancedStatus | None = None
    diagnostic: Diagnostic = ""
    remote_mta: Diagnostic | None = None
    reporting_mta: Diagnostic | None = None
    format: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{1,40}$")] = "smtp"
    """Who or what told: `smtp`, `rfc3464`, `rfc5965`, `qmail`, a provider's name."""
    feedback_type: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")] | None = None
    """RFC 5965 section 3.1, RFC 6650."""
    original_recipient: Address | None = None
    """The address that was mailed, when the report tells it apart from the one that failed (forwarding)."""
    final_recipient: Address | None = None
    command: Command | None = None
    """The SMTP command that the final reply answers, when the report tells it."""
    recipient_source: RecipientSource | None = None
    """Where the recipient was read in a bounce mail; None when the sender, a log or a webhook names it."""
    provider: Name | None = None
    """The provider that told, when it came as its webhook or log."""
    provider_codes: Annotated[tuple[Annotated[str, StringConstraints(max_length=200)], ...], Field(max_length=10)] = ()
    """The provider's own verdict, from the general to the special, in its own words: `Permanent`, `General`. `not_sent`
    stands for a failure that it found in the message itself."""
    suppressed: bool = False
    """The provider sent nothing: it repeats an earlier failure, complaint or unsubscription."""

    @property
    def guessed(self) -> bool:
        """Whether the recipient is a guess; a guess makes no dead address."""
        return self.recipient_source is not None and self.recipient_source.guessed


class BounceReceived(Contract):
    """A failed delivery with all evidence."""

    TYPE: ClassVar[str] = "returpost.bounce.received.v1"

    mailing: Id
    address: Address
    time: Time
    sender: Name
    attempt: int | None = None
    """What the sender says; the classifier counts by itself."""
    evidence: Evidence
    stream: Name | None = None
    sending_ip: Ip | None = None
    contact: Id | None = None


class Verdict(BaseModel):
    """What the classifier makes of a bounce."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    type: VerdictType
    reason: Reason
    fault: Fault
    confidence: Annotated[float, Field(ge=0, le=1)]
    """The share of such bounces that are expected to be judged rightly by the rule."""
    dead_address: bool
    """The reason says that the address or its domain is dead, and the fault is the recipient's."""
    rule: Text
    """`file.rule` of the rule that decided."""
    text: Diagnostic = ""
    """The text that decided it."""
    recipient_guessed: bool = False
    """Whom the bounce is about is a guess: whatever it says, the address is not called dead."""
    rules: Annotated[str, StringConstraints(max_length=80)] = ""
    """The version of the rules: that of the packaged ones, and a digest of all files that were in force."""


class BounceClassified(Contract):
    """The verdict on one failed delivery."""

    TYPE: ClassVar[str] = "returpost.bounce.classified.v1"

    mailing: Id
    address: Address
    time: Time
    sender: Name
    verdict: Verdict
    attempt: Annotated[int, Field(ge=0)]
    """Soft bounces of this mailing to this address so far, this one included; 0 when hard at once."""
    exhausted: bool = False
    """Soft, but the attempts are used up: registered as hard with its own reason."""
    retry_at: Time | None = None
    reply_code: ReplyCode | None = None
    status: EnhancedStatus | None = None
    diagnostic: Diagnostic = ""
    remote_mta: Diagnostic | None = None
    original_recipient: Address | None = None
    stream: Name | None = None
    sending_ip: Ip | None = None


class RetryRequested(Contract):
    """Command to the sender that sent: send this recipient of this mailing again."""

    TYPE: ClassVar[str] = "returpost.retry.requested.v1"
    DETAIL: ClassVar[str | None] = "sender"

    mailing: Id
    address: Address
    sender: Name
    attempt: Annotated[int, Field(ge=2)]
    """Number of the delivery attempt that is asked for; the first sending was 1."""
    due: Time
    reason: Reason
    """Why the last attempt failed."""
    contact: Id | None = None
    """The contact, when the sender named one."""
