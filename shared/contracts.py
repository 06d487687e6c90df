"""The contracts: what every event and command says. The AsyncAPI documents are made from this module.

Within a version fields are only added; unknown fields are ignored on reading; a new version is a new type. Times are
UTC. An `address` is normalised as `shared.addresses` says: as written, its domain a lower-case A-label.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from shared.addresses import normalise
from shared.vocabulary import (
    BlockCause as BlockCause,
    Command as Command,
    Fault as Fault,
    Kind as Kind,
    Operation as Operation,
    OperationState as OperationState,
    Reason as Reason,
    Result as Result,
    UnblockCause as UnblockCause,
    Validity as Validity,
    VerdictType as VerdictType,
)

MAX_DIAGNOSTIC = 4_000
"""Characters of a diagnostic that are kept; a line of a reply has up to 512 octets (RFC 5321 section 4.5.3.1.5)."""

_M = TypeVar("_M", bound=BaseModel)


def _utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("is before the year 1 or after 9999 in UTC") from None


def made(model: type[_M], **values: Any) -> _M:
    """Return the model with these values, which must be all of its fields and valid already.

    Faster than `model_construct` and `__init__` on the hot path, where what is told follows from what was validated.
    """
    instance = model.__new__(model)
    object.__setattr__(instance, "__dict__", values)
    object.__setattr__(instance, "__pydantic_fields_set__", set(values))
    object.__setattr__(instance, "__pydantic_extra__", None)
    object.__setattr__(instance, "__pydantic_private__", None)
    return instance


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""Tenant or sender: part of routing keys and queue names."""
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
"""Text that PostgreSQL can hold: no NUL."""
Id = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
"""Id of a mailing, contact, selection and the like, as its owner names it."""
Address = Annotated[str, AfterValidator(normalise)]
Time = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A moment with its offset, turned to UTC; a time without an offset is refused, since nobody can know what it means."""
Diagnostic = Annotated[Text, BeforeValidator(lambda text: text[:MAX_DIAGNOSTIC] if isinstance(text, str) else text)]
EnhancedStatus = Annotated[str, StringConstraints(pattern=r"^[245]\.\d{1,3}\.\d{1,3}$")]
"""RFC 3463 section 2."""
ReplyCode = Annotated[int, Field(ge=200, le=599)]
"""RFC 5321 section 4.2."""


class Contract(BaseModel):
    """Base of all data of events and commands."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_enum_values=False)

    TYPE: ClassVar[str]
    DETAIL: ClassVar[str | None] = None
    """Field that the last part of the routing key must be equal to, when it was the broker that checked that part."""


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


class DeliveryResult(Contract):
    """What a sender says happened to one recipient: the outside contract."""

    TYPE: ClassVar[str] = "returpost.delivery.result.v1"
    DETAIL: ClassVar[str | None] = "sender"

    mailing: Id
    address: Address
    result: Result
    time: Time
    sender: Name = "default"
    """The system that sent, which retry commands go to."""
    contact: Id | None = None
    attempt: Annotated[int, Field(ge=1, le=1000)] | None = None
    reply_code: ReplyCode | None = None
    status: EnhancedStatus | None = None
    diagnostic: Diagnostic = ""
    remote_mta: Diagnostic | None = None
    feedback_type: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")] | None = None


class DeliveryRecorded(Contract):
    """One result, normalised."""

    TYPE: ClassVar[str] = "returpost.delivery.recorded.v1"

    mailing: Id
    address: Address
    result: Result
    time: Time
    sender: Name
    contact: Id | None = None


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


class RetryRequested(Contract):
    """Command to the sender that sent: send this recipient of this mailing again."""

    TYPE: ClassVar[str] = "returpost.retry.requested.v1"

    mailing: Id
    address: Address
    sender: Name
    attempt: Annotated[int, Field(ge=2)]
    """Number of the delivery attempt that is asked for; the first sending was 1."""
    due: Time
    reason: Reason


class AddressBlocked(Contract):
    """The address is skipped in mailings until lifted. Apply it only when `version` is above the last one applied."""

    TYPE: ClassVar[str] = "returpost.address.blocked.v1"

    address: Address
    version: Annotated[int, Field(ge=1)]
    cause: BlockCause
    reason: Reason | None = None
    return_count: Annotated[int, Field(ge=0)]
    mailing: Id | None = None
    time: Time
    by: Text
    """Who or what did it: a service, a user or an operation."""
    note: Text = ""
    until: Time | None = None


class AddressUnblocked(Contract):
    """The block is lifted. Apply it only when `version` is above the last one applied."""

    TYPE: ClassVar[str] = "returpost.address.unblocked.v1"

    address: Address
    version: Annotated[int, Field(ge=1)]
    cause: UnblockCause
    time: Time
    by: Text
    note: Text = ""


class AddressErased(Contract):
    """The address and its history are gone; whoever holds a copy removes it."""

    TYPE: ClassVar[str] = "returpost.address.erased.v1"

    address: Address
    time: Time
    by: Text


class BlockSet(Contract):
    """Command: block these addresses."""

    TYPE: ClassVar[str] = "returpost.block.set.v1"

    addresses: Annotated[list[Address], Field(min_length=1, max_length=10_000)]
    time: Time
    by: Text
    note: Text = ""
    operation: Id | None = None


class BlockClear(Contract):
    """Command: lift the blocks of these addresses and zero their counts (clear bounce-flag)."""

    TYPE: ClassVar[str] = "returpost.block.clear.v1"

    addresses: Annotated[list[Address], Field(min_length=1, max_length=10_000)]
    time: Time
    by: Text
    note: Text = ""
    operation: Id | None = None


class AddressErase(Contract):
    """Command: remove these addresses everywhere."""

    TYPE: ClassVar[str] = "returpost.address.erase.v1"

    addresses: Annotated[list[Address], Field(min_length=1, max_length=10_000)]
    time: Time
    by: Text


class AddressValidate(Contract):
    """Command: check these new addresses, given as somebody wrote them."""

    TYPE: ClassVar[str] = "returpost.address.validate.v1"

    addresses: Annotated[
        list[Annotated[Text, StringConstraints(max_length=1_000)]], Field(min_length=1, max_length=10_000)
    ]
    reference: Id | None = None
    """What the asker knows the question by; the answers carry it."""


class AddressValidated(Contract):
    """The result of checking one new address."""

    TYPE: ClassVar[str] = "returpost.address.validated.v1"

    given: Text
    address: Text
    """Normalised, or what was given when it is no address."""
    validity: Validity
    reason: Text | None = None
    """`syntax`, `domain_unknown`, `no_mail_host`, `not_accepting` (null MX) or `dns_trouble`."""
    problem: Text | None = None
    """The same for people."""
    suggestion: Text | None = None
    """What was probably meant."""
    role: bool = False
    """Stands for a function, such as `postmaster`."""
    disposable: bool = False
    reference: Id | None = None


class SettingsChanged(Contract):
    """A tenant's setting has a new value."""

    TYPE: ClassVar[str] = "returpost.settings.changed.v1"

    name: Text
    old: Text | None
    new: Text
    time: Time
    by: Text


class BlockCleared(Contract):
    """The clear of one command took effect for these addresses, blocked or not."""

    TYPE: ClassVar[str] = "returpost.block.cleared.v1"

    addresses: list[Address]
    time: Time
    by: Text
    operation: Id | None = None


class ContactUpserted(Contract):
    """A CRM tells what it knows of a contact; what it leaves out stays."""

    TYPE: ClassVar[str] = "returpost.contact.upserted.v1"

    contact: Id
    name: Annotated[Text, Field(max_length=400)] | None = None
    company: Annotated[Text, Field(max_length=400)] | None = None
    addresses: Annotated[list[Address], Field(max_length=100)] | None = None
    """All addresses of the contact, the main one first."""
    time: Time


class OperationRequested(Contract):
    """Command: do this with all of these addresses. The event's id is the operation's."""

    TYPE: ClassVar[str] = "returpost.operation.requested.v1"

    operation: Operation
    addresses: Annotated[list[Address], Field(max_length=100_000)] = []
    mailing: Id | None = None
    """Instead of addresses: all that were returned in this mailing."""
    by: Text
    note: Text = ""
    time: Time


class OperationProgressed(Contract):
    """So far."""

    TYPE: ClassVar[str] = "returpost.operation.progressed.v1"

    operation: Operation
    operation_id: Id
    total: Annotated[int, Field(ge=0)]
    done: Annotated[int, Field(ge=0)]
    time: Time


class OperationFinished(Contract):
    """Every address has its outcome; `outcomes` counts them by what happened."""

    TYPE: ClassVar[str] = "returpost.operation.finished.v1"

    operation: Operation
    operation_id: Id
    state: OperationState
    total: Annotated[int, Field(ge=0)]
    outcomes: dict[Text, int]
    by: Text
    time: Time


class ContactChanged(Contract):
    """A contact is not what it was."""

    TYPE: ClassVar[str] = "returpost.contact.changed.v1"

    contact: Id
    what: Text
    by: Text
    time: Time
