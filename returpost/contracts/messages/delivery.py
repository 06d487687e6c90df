"""What senders say happened to recipients."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from returpost.contracts.enums import Result
from returpost.contracts.messages.fields import (
    Address,
    Contract,
    Diagnostic,
    EnhancedStatus,
    Id,
    Ip,
    Name,
    ReplyCode,
    Time,
)


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
    stream: Name | None = None
    """What kind of mail the mailing is, as `marketing` or `service`; a tenant may spare a stream from some blocks."""
    sending_ip: Ip | None = None


class DeliveryRecorded(Contract):
    """One result, normalised."""

    TYPE: ClassVar[str] = "returpost.delivery.recorded.v1"
    DETAIL: ClassVar[str | None] = "result"

    mailing: Id
    address: Address
    result: Result
    time: Time
    sender: Name
    contact: Id | None = None
    stream: Name | None = None
    sending_ip: Ip | None = None
