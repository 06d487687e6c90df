"""Events about selections and projects."""

from collections.abc import Iterator
from typing import Any

from returpost.contracts import ListChanged, ListUpsert, ProjectChanged, SelectionChanged, ids
from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import ListKind
from services.actions.contacts.lists.domain import List, MemberChange, in_chunks, kind_of, list_of
from services.actions.events import new_event


def changed_contract(kind: ListKind) -> type[ListChanged]:
    """Return the contract of the event that says that a list of this kind changed."""
    return ProjectChanged if kind is ListKind.PROJECT else SelectionChanged


def list_changed(now: List, members: MemberChange, cause: Event[ListUpsert]) -> Iterator[Event[Any]]:
    """Yield the events that say what is different of a list."""
    kind, identity = kind_of(cause.data), list_of(cause.data)
    for number, part in enumerate(in_chunks(members)):
        values: dict[str, Any] = {
            kind.value: identity, "what": "upserted", "name": now.name, "added": part.added, "removed": part.removed,
            "deleted": now.deleted, "by": cause.source, "time": cause.data.time,
        }  # fmt: skip
        data = changed_contract(kind)(**values)
        yield new_event(data, id=ids.derived(cause.id, data.TYPE, number), tenant=cause.tenant, subject=identity)
