"""Bulk operations: what is stored of them, their states, and what may follow what. No I/O.

previewed -> queued -> running -> finished | failed
queued | running -> cancelling -> cancelled
finished | failed | cancelled -> undoing -> undone
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from returpost.contracts import Operation, OperationState
from returpost.contracts.enums import OperationState as S
from returpost.errors import ReturpostError

PART_ROWS = 5_000
"""Rows a part: one transaction of about half a second."""
COMMAND_ROWS = 1_000
"""Rows a part that is one command: the blocklist handles all addresses of a command in one transaction."""
ACTIVE = frozenset((S.QUEUED, S.RUNNING, S.CANCELLING, S.UNDOING))
ENDED = frozenset((S.CANCELLED, S.FINISHED, S.FAILED, S.UNDONE))
_CONFIRMED = ACTIVE | ENDED


class Refused(ReturpostError):
    """The operation cannot be done, or not now; the message says why."""


@dataclass(frozen=True, slots=True)
class StoredOperation:
    """One operation as stored."""

    no: int
    id: str
    tenant: str
    operation: Operation
    state: OperationState
    parameters: dict[str, Any]
    target: dict[str, Any]
    """The filter, or how many addresses or rows were named."""
    result: dict[str, Any]
    by: str
    note: str
    time: datetime
    """When it was requested."""
    keep: bool = False
    """A cancelled operation keeps what it did."""


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive rows of an operation that are locked."""

    operation: int
    part: int
    first: int
    last: int

    @property
    def rows(self) -> tuple[int, int, int]:
        """The arguments of statements over the rows of a part."""
        return self.operation, self.first, self.last


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an operation is: rows `total`, `settled`, `done`; the others are parts."""

    total: int
    settled: int
    done: int
    open: int
    waiting: int
    done_parts: int
    failed_parts: int


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How many rows an operation has, and how many by what became of them."""

    total: int
    outcomes: dict[str, int] = field(default_factory=dict)


def confirm(state: S) -> bool:
    """Say whether a confirmation begins the operation; one that has begun is confirmed already.

    Raises `Refused` for a cancelled one.
    """
    if state is S.CANCELLED:
        raise Refused("the operation is cancelled: preview again")
    return state not in _CONFIRMED


def cancel(state: S) -> S:
    """Return the state after a cancellation. Raises `Refused` when nothing can be stopped."""
    if state is S.PREVIEWED:
        return S.CANCELLED
    if state in (S.QUEUED, S.RUNNING, S.CANCELLING):
        return S.CANCELLING
    if state is S.CANCELLED:
        return state
    raise Refused(f"the operation is {state.value}: there is nothing to cancel")


def undo(state: S, can_be_undone: bool) -> S:
    """Return the state after an undo. Raises `Refused` when it has not ended, or can never be undone."""
    if not can_be_undone:
        raise Refused("this kind of operation cannot be undone")
    if state in (S.UNDOING, S.UNDONE):
        return state
    if state in ENDED:
        return S.UNDOING
    raise Refused(f"the operation is {state.value}: cancel it, or wait for its end")


def end(state: S, failed_parts: int) -> S:
    """Return the state of an operation of which no part is left to do."""
    return {
        S.RUNNING: S.FAILED if failed_parts else S.FINISHED,
        S.CANCELLING: S.CANCELLED,
        S.UNDOING: S.UNDONE,
    }[state]  # fmt: skip


def next_parts(operation: StoredOperation, can_be_undone: bool) -> str | None:
    """Return the state of the parts that are done next: `open`, or `done` when they are undone; nothing: none."""
    if operation.state is S.RUNNING:
        return "open"
    undoes = operation.state is S.UNDOING or (operation.state is S.CANCELLING and not operation.keep)
    return "done" if undoes and can_be_undone else None
