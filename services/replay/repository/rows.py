"""What is read of dead letters, as the API shows it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """A dead letter without its body and stack."""

    id: UUID
    number: int
    """In the order of arrival."""
    failed_at: datetime
    first_failed_at: datetime | None
    """Of the first of those that it is linked to."""
    queue: str
    exchange: str
    routing_key: str
    published_by: str
    """The broker's user that published it; empty when the message does not name it."""
    attempt: int
    error: str
    error_type: str
    fingerprint: str
    content_type: str
    release: str
    event_type: str
    event_id: str
    tenant: str
    mailing: str
    obstacle: str
    """Why it cannot be replayed; empty: it can."""
    previous: UUID | None
    """The one that failed before, when that was replayed."""
    edited_from: UUID | None
    bytes: int
    state: str
    changed_at: datetime | None
    changed_by: str | None


@dataclass(frozen=True, slots=True)
class DeadLetterDetails:
    """A dead letter with its stack and headers, without its body."""

    id: UUID
    failed_at: datetime
    first_failed_at: datetime | None
    queue: str
    exchange: str
    routing_key: str
    published_by: str
    """The broker's user that published it; empty when the message does not name it."""
    attempt: int
    error: str
    error_type: str
    stack: str
    fingerprint: str
    content_type: str
    release: str
    headers: dict[str, Any]
    event_type: str
    event_id: str
    tenant: str
    mailing: str
    obstacle: str
    previous: UUID | None
    edited_from: UUID | None
    bytes: int
    state: str
    kept_at: datetime
    changed_at: datetime | None
    changed_by: str | None


@dataclass(frozen=True, slots=True)
class DrainedRow:
    """A drained message, with all that is needed to put it back."""

    failed_at: datetime
    number: int
    queue: str
    exchange: str
    routing_key: str
    published_by: str
    attempt: int
    content_type: str
    headers: dict[str, Any]
    body: bytes


@dataclass(frozen=True, slots=True)
class LinkedRow:
    """A dead letter in the history of another."""

    id: UUID
    failed_at: datetime
    queue: str
    attempt: int
    error: str
    state: str
    changed_at: datetime | None
    changed_by: str | None
    previous: UUID | None
    edited_from: UUID | None
    jobs: list[str]


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Dead letters that agree in the fields that were asked for; the others are null."""

    fingerprint: str | None
    queue: str | None
    type: str | None
    tenant: str | None
    hour: datetime | None
    release: str | None
    count: int
    first: datetime
    last: datetime
    attempts: int
    bytes: int
    error: str
    """The latest."""
    error_type: str
    sample: UUID
    """The latest dead letter."""
    status: str | None
    """Of the note on the fingerprint, as owner and note: new, known, being mended."""
    owner: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One count of a plan: by queue and failure, by tenant, or by queue, type, way of publishing and obstacle."""

    of_group: bool
    of_tenant: bool
    of_obstacle: bool
    queue: str | None
    fingerprint: str | None
    event_type: str | None
    exchange: str | None
    routing_key: str | None
    tenant: str | None
    obstacle: str | None
    count: int
    error: str
