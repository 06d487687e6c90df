"""What the engine needs to know of a kind of operation."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from services.actions.operations.domain import PART_ROWS, Part, StoredOperation
from shared.messaging.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class AwaitedEvent:
    """A command was sent: the part is settled by the event with this id; without one, when its rows are gone."""

    id: str | None = None


PartStep = Callable[[UnitOfWork, StoredOperation, Part], Awaitable[AwaitedEvent | None]]
"""Does, or undoes, one part in one transaction. Raises `Refused` when it can never be done."""
OperationStep = Callable[[UnitOfWork, StoredOperation], Awaitable[dict[str, Any]]]
"""Does something once for the whole operation; returns what is added to the operation's result."""


class Parameters(BaseModel):
    """The parameters of an operation besides its target; without fields of its own: none."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class OperationKind:
    """One kind of operation."""

    apply: PartStep
    undo: PartStep | None = None
    parameters: type[Parameters] = Parameters
    skip: str | Callable[[Any], str] = "NULL"
    """SQL: why the row `c` (tenant $2, `c.address`, `c.mailing`) is skipped, or NULL; may depend on the parameters."""
    takes_erased: bool = False
    """Also over addresses that were erased and of which nothing was heard since."""
    needs_note: Callable[[Any], bool] = lambda _: False
    """Whether, with these parameters, whoever asks has to say why."""
    before_first: OperationStep | None = None
    """Before the first part."""
    after_undo: OperationStep | None = None
    """After the last part was undone."""
    check: Callable[[UnitOfWork, str, Any], Awaitable[None]] | None = None
    """Refuses, at the preview, parameters that name what does not exist."""
    part_rows: int | None = PART_ROWS
    """Rows a part; none: all rows are one part."""
    max_rows: Callable[[Any], int | None] = lambda _: None
    """How many rows it may be over with these parameters; none: any number."""
    resends: bool = True
    """A part whose event does not come is done again."""
    over_recipients: bool = False
    """Rows are recipients of mailings; else addresses, each once."""

    def skip_for(self, parameters: Parameters) -> str:
        """Return the SQL that says why a row is skipped."""
        return self.skip if isinstance(self.skip, str) else self.skip(parameters)
