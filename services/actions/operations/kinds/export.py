"""Export: the file is made by a process of its own, see `services.actions.exports`."""

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StringConstraints

from returpost.contracts.addresses import hide_addresses
from services.actions.operations.domain import Part, StoredOperation
from services.actions.operations.exports.columns import DEFAULT, Column, Language
from services.actions.operations.exports.formats import Format
from services.actions.operations.kinds.operation_kind import AwaitedEvent, OperationKind, Parameters
from shared.messaging.unit_of_work import UnitOfWork

Word = Annotated[str, StringConstraints(max_length=60), AfterValidator(hide_addresses)]
Label = Annotated[str, StringConstraints(max_length=200), AfterValidator(hide_addresses)]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("is no time zone, such as Europe/Oslo") from None
    return name


class Export(Parameters):
    """Format and columns of the file."""

    format: Format = Format.CSV
    columns: Annotated[list[Column], Field(min_length=1, max_length=len(Column), default_factory=lambda: list(DEFAULT))]
    language: Language = Language.ENGLISH
    """Of the headings."""
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    name: Annotated[str, StringConstraints(pattern=r"^[\w .()-]{0,100}$")] = ""
    """Of the file, without its ending."""
    bom: bool = False
    """Begin CSV and plain text with a byte order mark, by which Excel knows UTF-8."""
    separator: Annotated[str, StringConstraints(pattern=r"^[,;\t]$")] = ","
    """Between the cells of CSV; a semicolon is what Excel expects where the comma is in numbers, as in Norway."""
    headings: bool = True
    """Begin CSV and plain text with the names of the columns."""
    labels: Annotated[dict[Column, Annotated[dict[Word, Label], Field(max_length=200)]], Field(max_length=10)] = Field(
        default_factory=dict
    )
    """What values are called, by column: people read `Address does not exist`, programs `user_unknown`."""


async def _hand_over(_: UnitOfWork, __: StoredOperation, ___: Part) -> AwaitedEvent | None:
    """The export workers look for it."""
    return AwaitedEvent()


EXPORT = OperationKind(apply=_hand_over, parameters=Export, part_rows=None, over_recipients=True, resends=False)
