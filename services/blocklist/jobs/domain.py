"""Background jobs: what is done to many addresses of a tenant, a part a transaction."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.blocklist.storms.domain import StormState
from services.blocklist.tenant_settings.changes import SettingsChange


class JobKind(StrEnum):
    """What is done."""

    SETTINGS = "settings"
    """All addresses are evaluated by changed settings."""
    SETTINGS_PREVIEW = "settings_preview"
    """What changed settings would do is counted."""
    STORM = "storm"
    """Addresses that had a bounce in a storm are evaluated."""
    IMPORT_UNDO = "import_undo"
    """What an import did is undone."""


class JobState(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    SUPERSEDED = "superseded"
    """A later job does all of it again."""


class JobParameters(BaseModel):
    """What a job is about; each kind has its own."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    version: int | None = None
    """`settings`: the version of the settings that is applied."""
    change: SettingsChange | None = None
    """`settings_preview`: the change that is tried."""
    storm: UUID | None = None
    """`storm`: which one."""
    state: StormState | None = None
    """`storm`: what is to be done with its bounces."""
    import_: UUID | None = Field(default=None, alias="import")
    """`import_undo`: which one."""
    received_at: datetime | None = None
    """`import_undo`: when the import was received."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job to be done; the same id requests the same once."""

    id: str
    tenant: str
    kind: JobKind
    parameters: JobParameters
    by: str
    note: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Job:
    """One job, locked by this transaction."""

    id: str
    tenant: str
    kind: JobKind
    parameters: JobParameters
    by: str
    note: str
    requested_at: datetime
    after: str
    """The last address that was done."""
    total: int | None
    result: dict[str, Any]


@dataclass(slots=True)
class JobStep:
    """What one transaction has done of it."""

    after: str
    """The last address that was done."""
    done: int = 0
    blocked: int = 0
    freed: int = 0
    last: bool = False
    result: dict[str, Any] = field(default_factory=dict)
