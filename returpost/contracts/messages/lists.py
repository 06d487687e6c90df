"""Static selections and projects: both are lists of contacts."""

from typing import Annotated, ClassVar

from pydantic import Field

from returpost.contracts.messages.fields import Contract, Id, Text, Time, Title

MAX_MEMBERS = 100_000
"""Contacts that one event names; longer lists are told in several."""

Members = Annotated[list[Id], Field(max_length=MAX_MEMBERS)]


class ListUpsert(Contract):
    """What is told of a list; what is left out stays. Of each contact the newest that was told holds."""

    ATTRIBUTED: ClassVar[bool] = True

    name: Title | None = None
    members: Members | None = None
    """All members: whoever was told of before, and is not named, is a member no more."""
    add: Members = Field(default_factory=list)
    remove: Members = Field(default_factory=list)
    deleted: bool | None = None
    time: Time


class SelectionUpsert(ListUpsert):
    """A CRM tells what it knows of a static selection; what it leaves out stays."""

    TYPE: ClassVar[str] = "returpost.selection.upsert.v1"

    selection: Id


class ProjectUpsert(ListUpsert):
    """A CRM tells what it knows of a project; what it leaves out stays."""

    TYPE: ClassVar[str] = "returpost.project.upsert.v1"

    project: Id


class ListChanged(Contract):
    """What is different of a list. Who follows applies all of it: a contact that is added is a member from now on."""

    what: Text
    """`upserted`, or the operation that did it."""
    name: Text | None = None
    """The name it has now."""
    added: Members = Field(default_factory=list)
    removed: Members = Field(default_factory=list)
    deleted: bool = False
    by: Text
    time: Time
    operation: Id | None = None


class SelectionChanged(ListChanged):
    """A static selection is not what it was."""

    TYPE: ClassVar[str] = "returpost.selection.changed.v1"

    selection: Id


class ProjectChanged(ListChanged):
    """A project is not what it was."""

    TYPE: ClassVar[str] = "returpost.project.changed.v1"

    project: Id
