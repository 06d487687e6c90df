"""What happens to an address as such: its check when it is new, its blocks, its end."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from returpost.contracts.enums import BlockCause, Reason, UnblockCause, Validity
from returpost.contracts.messages.fields import Address, Contract, Id, Name, Note, Text, Time


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
    note: Note = ""
    until: Time | None = None
    exempt_streams: list[Name] = Field(default_factory=list)
    """Streams that may be mailed all the same, by the tenant's settings or a later subscription."""
    streams: list[Name] = Field(default_factory=list)
    """Streams that skip it, where not all do: unsubscribes from these alone."""
    causes: list[BlockCause] = Field(default_factory=list)
    """Every cause that holds, `cause` first; empty of an event from before there were several."""


class AddressUnblocked(Contract):
    """The block is lifted. Apply it only when `version` is above the last one applied."""

    TYPE: ClassVar[str] = "returpost.address.unblocked.v1"

    address: Address
    version: Annotated[int, Field(ge=1)]
    cause: UnblockCause
    time: Time
    by: Text
    note: Note = ""


class AddressErased(Contract):
    """The address and its history are gone; whoever holds a copy removes it."""

    TYPE: ClassVar[str] = "returpost.address.erased.v1"

    address: Address
    time: Time
    by: Text


class AddressCheck(Contract):
    """Question before a mailing: whom to skip of these. The answer goes to the message's `reply_to`, with its
    `correlation_id`: JSON, as `POST /v1/check` answers."""

    TYPE: ClassVar[str] = "returpost.address.check.v1"

    addresses: Annotated[
        list[Annotated[Text, StringConstraints(max_length=1_000)]], Field(min_length=1, max_length=10_000)
    ]
    """As anybody writes them."""
    stream: Name | None = None
    """What kind of mail it will be; a tenant may spare a stream from some blocks."""


class Correction(BaseModel):
    """An address that was wrong, and the right one."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    old: Address
    new: Address


class AddressCorrect(Contract):
    """Command: these addresses are written otherwise; the new ones start clean, the old ones stay as they are."""

    TYPE: ClassVar[str] = "returpost.address.correct.v1"
    ATTRIBUTED: ClassVar[bool] = True

    corrections: Annotated[list[Correction], Field(min_length=1, max_length=10_000)]
    time: Time
    by: Text
    note: Note = ""


class AddressCorrected(Contract):
    """An address is written otherwise from now on; whoever keeps the old one takes the new one."""

    TYPE: ClassVar[str] = "returpost.address.corrected.v1"

    old: Address
    new: Address
    time: Time
    by: Text
    note: Note = ""


class AddressErase(Contract):
    """Command: remove these addresses everywhere."""

    TYPE: ClassVar[str] = "returpost.address.erase.v1"
    ATTRIBUTED: ClassVar[bool] = True

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
