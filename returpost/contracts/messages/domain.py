"""Blocks of whole domains."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from returpost.contracts.domains import normalise_pattern
from returpost.contracts.enums import UnblockCause
from returpost.contracts.messages.fields import Contract, Note, Text, Time

DomainPattern = Annotated[str, AfterValidator(normalise_pattern)]
"""`example.com`, or `*.example.com` for all its subdomains and not itself."""


class DomainBlocked(Contract):
    """Every address of these domains is skipped until lifted. Versions are of one order with those of addresses."""

    TYPE: ClassVar[str] = "returpost.domain.blocked.v1"

    domain: DomainPattern
    version: Annotated[int, Field(ge=1)]
    time: Time
    by: Text
    note: Note
    until: Time | None = None


class DomainUnblocked(Contract):
    """The block of these domains is lifted, or has ended; what blocks an address for itself stays."""

    TYPE: ClassVar[str] = "returpost.domain.unblocked.v1"

    domain: DomainPattern
    version: Annotated[int, Field(ge=1)]
    cause: UnblockCause
    time: Time
    by: Text
    note: Note = ""
