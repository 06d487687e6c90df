"""What handlers and the repository exchange: keys, commands, history, log entries."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from returpost.contracts.enums import BlockCause, Reason, UnblockCause
from services.blocklist.address_state.domain import AddressState, Facts

Key = tuple[str, str]
"""Tenant and key of the address."""
Command = tuple[datetime, str, str]
"""When somebody commanded something, who, and the note."""
ManualBlock = tuple[datetime, str, str, datetime | None]
"""The same of a block by hand, and when it ends by itself."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Somebody wants mail again, of a stream or (none) of all."""

    key: Key
    stream: str | None
    command: Command


@dataclass(frozen=True, slots=True)
class Trigger:
    """Why addresses are evaluated again."""

    id: str
    """Of the event or command."""
    time: datetime
    by: str = "blocklist"
    subject: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One bounce that ended hard, or one complaint."""

    tenant: str
    address: str
    id: UUID
    time: datetime
    may_block: bool
    mailing: str
    reason: Reason
    fault: str
    rule: str
    status: str | None
    text: str
    stream: str | None = None
    ip: str | None = None
    confidence: float | None = None
    """Of the verdict; none where somebody else has judged."""

    @property
    def key(self) -> Key:
        """Whose it is."""
        return self.tenant, self.address


@dataclass(frozen=True, slots=True)
class AddressRecord:
    """What is known of one address, and its state so far."""

    facts: Facts
    state: AddressState
    version: int
    manual_by: str | None = None
    manual_note: str | None = None
    former_by: str | None = None
    former_note: str | None = None

    def author(self, cause: BlockCause) -> tuple[str, str] | None:
        """Return who blocked by hand or said that somebody has left, and why; nothing where that is not the cause."""
        if cause is BlockCause.MANUAL:
            return self.manual_by or "", self.manual_note or ""
        if cause is BlockCause.FORMER_EMPLOYEE:
            return self.former_by or "", self.former_note or ""
        return None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One block or lift."""

    tenant: str
    address: str
    version: int
    at: datetime
    blocked: bool
    cause: BlockCause | UnblockCause
    reason: Reason | None
    subject: str | None
    until: datetime | None
    by: str
    note: str


class Undo(StrEnum):
    """What undoes a block or a lift."""

    TAKE_BACK = "take_back"
    """It was commanded: the command is withdrawn."""
    LIFT = "lift"
    """It followed from bounces: clear the bounce-flag."""
    LIFT_SUPPRESSION = "lift_suppression"
    """It is an unsubscribe, or that somebody has left: that is lifted."""
    BLOCK = "block"
    """It followed from a delivery, from settings or from time: block by hand."""


@dataclass(frozen=True, slots=True)
class LastLogEntry:
    """The last block or lift of an address."""

    blocked: bool
    cause: str
    commanded_at: datetime | None
    """When it was commanded, if it was."""
    subject: str | None = None

    @property
    def undo(self) -> Undo:
        """What undoes it."""
        if self.cause in (BlockCause.MANUAL, UnblockCause.CLEARED) and self.commanded_at is not None:
            return Undo.TAKE_BACK
        if self.blocked and BlockCause(self.cause).outlives_clear:
            return Undo.LIFT_SUPPRESSION
        return Undo.LIFT if self.blocked else Undo.BLOCK


@dataclass(frozen=True, slots=True)
class ScheduledErasure:
    """An erasure that is due later, and can be undone until then."""

    tenant: str
    address: str
    time: datetime
    """When it was requested."""
    by: str
    due: datetime
