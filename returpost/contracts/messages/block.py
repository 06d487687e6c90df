"""Commands about blocks, what came of them, and the settings that blocks follow from."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from returpost.contracts.messages.fields import Address, Contract, Id, Note, Text, Time


class BlockSet(Contract):
    """Command: block these addresses."""

    TYPE: ClassVar[str] = "returpost.block.set.v1"
    ATTRIBUTED: ClassVar[bool] = True

    addresses: Annotated[list[Address], Field(min_length=1, max_length=10_000)]
    time: Time
    by: Text
    note: Note = ""
    operation: Id | None = None
    until: Time | None = None
    """When it ends by itself; without it, it stays until it is cleared."""


class BlockClear(Contract):
    """Command: lift the blocks of these addresses and zero their counts (clear bounce-flag)."""

    TYPE: ClassVar[str] = "returpost.block.clear.v1"
    ATTRIBUTED: ClassVar[bool] = True

    addresses: Annotated[list[Address], Field(min_length=1, max_length=10_000)]
    time: Time
    by: Text
    note: Note = ""
    operation: Id | None = None


class BlockCleared(Contract):
    """The clear of one command took effect for these addresses, blocked or not."""

    TYPE: ClassVar[str] = "returpost.block.cleared.v1"

    addresses: list[Address]
    time: Time
    by: Text
    operation: Id | None = None


class BlockUndo(Contract):
    """Command: undo what the commands of one operation did to these addresses: a clear no longer counts, and a block by
    hand is lifted, unless somebody has said something else of the address since."""

    TYPE: ClassVar[str] = "returpost.block.undo.v1"
    ATTRIBUTED: ClassVar[bool] = True

    addresses: Annotated[list[Address], Field(min_length=1, max_length=10_000)]
    operation: Id
    of: Time
    """The time of the commands that are undone."""
    time: Time
    """Of the undo."""
    by: Text
    note: Note = ""


class BlockApplied(Contract):
    """A command of an operation, to block or to undo, took effect; its id is derived from the command's."""

    TYPE: ClassVar[str] = "returpost.block.applied.v1"

    operation: Id
    time: Time
    by: Text


class SettingsChanged(Contract):
    """A tenant's setting has a new value."""

    TYPE: ClassVar[str] = "returpost.settings.changed.v1"

    name: Text
    old: Text | None
    new: Text
    time: Time
    by: Text


class ImportFinished(Contract):
    """All rows of a list, of addresses to be blocked or cleared, have their outcome; `outcomes` counts them."""

    TYPE: ClassVar[str] = "returpost.import.finished.v1"

    import_id: Id
    action: Literal["block", "clear"]
    rows: Annotated[int, Field(ge=0)]
    outcomes: dict[Text, int]
    by: Text
    note: Note = ""
    time: Time
