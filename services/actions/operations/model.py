"""What an operation is, and what each kind of operation has to say. No I/O."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from returpost.contracts import Operation, OperationState
from returpost.errors import ReturpostError
from shared.messaging.unit_of_work import UnitOfWork

PART = 5_000
"""Rows a part: one transaction of about half a second."""
COMMAND_PART = 1_000
"""Rows a part that is one command: the blocklist looks at all of a command's addresses in one transaction."""


class Refused(ReturpostError):
    """The operation cannot be done, or not now; the message says why."""


@dataclass(frozen=True, slots=True)
class Running:
    """One operation, as stored."""

    no: int
    id: str
    tenant: str
    operation: Operation
    state: OperationState
    parameters: dict[str, Any]
    chosen: dict[str, Any]
    """The filter, or how many were ticked."""
    result: dict[str, Any]
    by: str
    note: str
    time: datetime
    """When it was asked for."""
    keep: bool = False
    """A cancelled one keeps what it did."""


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive rows of an operation, in hand."""

    operation: int
    part: int
    first: int
    last: int

    @property
    def rows(self) -> tuple[int, int, int]:
        """What statements over the rows of a part are given."""
        return self.operation, self.first, self.last


@dataclass(frozen=True, slots=True)
class Answer:
    """Somebody else was commanded: the part is settled by the event with this id, or when its rows are gone."""

    id: str | None = None


Step = Callable[[UnitOfWork, Running, Part], Awaitable[Answer | None]]
"""Does, or undoes, one part in one transaction. Raises `Refused` when it can never be done."""
Whole = Callable[[UnitOfWork, Running], Awaitable[dict[str, Any]]]
"""Does something once for the whole operation; what it returns is added to the operation's result."""


class Parameters(BaseModel):
    """What an operation is told besides the set; without fields of its own: nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of operation: everything that the engine needs to know of it."""

    apply: Step
    undo: Step | None = None
    parameters: type[Parameters] = Parameters
    skip: str = "NULL"
    """SQL: why the row `c` (tenant $2, `c.address`, `c.mailing`) is going to be skipped, or NULL."""
    begin: Whole | None = None
    """Before the first part."""
    undone: Whole | None = None
    """After the last part was undone."""
    check: Callable[[UnitOfWork, str, Any], Awaitable[None]] | None = None
    """Refuses, at the preview, parameters that name what does not exist."""
    size: int | None = PART
    """Rows a part; none: all rows are one part."""
    most: int | None = None
    """Rows that it may be over."""
    again: bool = True
    """A part that is not answered is done again."""
    recipients: bool = False
    """Rows are recipients of mailings; else addresses, each once."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an operation is, in rows."""

    total: int
    done: int
    outcomes: dict[str, int] = field(default_factory=dict)
