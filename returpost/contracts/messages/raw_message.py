"""What arrived, as it arrived."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from returpost.contracts.enums import RawOutcome
from returpost.contracts.messages.fields import Address, Contract, Id, Name, Text, Time


class Mention(BaseModel):
    """Whom a raw message is about."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    events: Annotated[list[Id], Field(max_length=10)]
    """Ids of the events that were made of it."""
    address: Address
    mailing: Id


class ProviderPayloadProcess(Contract):
    """Command of ingest to itself: read what a provider has posted and was believed, when there is time for it."""

    TYPE: ClassVar[str] = "returpost.provider-payload.process.v1"

    provider: Name
    sender: Name | None = None
    """The system that sent the mails, unless their metadata tell."""
    body: str
    """Base64 of the body of the request."""


class RawMessageStore(Contract):
    """Command of ingest to itself: keep this as it arrived. The event's id is the report's."""

    TYPE: ClassVar[str] = "returpost.raw-message.store.v1"

    source: Name
    """A way in for mails, or the name of a provider."""
    outcome: RawOutcome
    problem: Text = ""
    content_type: Annotated[Text, Field(max_length=200)]
    size: Annotated[int, Field(ge=0)]
    body: str
    """Base64 of the deflated bytes (RFC 1950)."""
    mentions: Annotated[list[Mention], Field(max_length=10_000)] = Field(default_factory=list)
    time: Time
    """When it came in."""
