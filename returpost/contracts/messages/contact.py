"""Contacts, as CRMs tell of them and as operations change them."""

from typing import Annotated, ClassVar

from pydantic import Field

from returpost.contracts.messages.fields import Address, Contract, Id, Label, Text, Time


class ContactUpsert(Contract):
    """A CRM tells what it knows of a contact; what it leaves out stays."""

    TYPE: ClassVar[str] = "returpost.contact.upsert.v1"
    ATTRIBUTED: ClassVar[bool] = True

    contact: Id
    name: Label | None = None
    company: Label | None = None
    external_id: Label | None = None
    """What another system knows the contact by."""
    former_employee: bool | None = None
    """The person has left: kept for history, in no mailing."""
    addresses: Annotated[list[Address], Field(max_length=100)] | None = None
    """All addresses of the contact, the main one first."""
    time: Time


class ContactChanged(Contract):
    """A contact is not what it was. Apply it only when `version` is above the last one applied."""

    TYPE: ClassVar[str] = "returpost.contact.changed.v1"

    contact: Id
    what: Text
    """`upserted`, or the operation that did it."""
    by: Text
    time: Time
    version: Annotated[int, Field(ge=1)] | None = None
    """None of an event from before there were versions: that one does not say either what the contact is now."""
    name: Text | None = None
    company: Text | None = None
    external_id: Text | None = None
    former_employee: bool = False
    addresses: list[Address] = Field(default_factory=list)
    """The main one first."""
