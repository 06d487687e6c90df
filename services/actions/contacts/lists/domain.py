"""Selections and projects: of each field and each member the newest that was said. No I/O."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from returpost.contracts import ListUpsert, ProjectUpsert
from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import ListKind
from services.actions.contacts.domain import is_newer

ListKey = tuple[str, str]
"""Tenant and list."""
MemberKey = tuple[str, str, str]
"""Tenant, list and contact."""
MAX_EVENT_MEMBERS = 5_000
"""Members that one event names."""


@dataclass(frozen=True, slots=True)
class List:
    """A list without its members, with the time at which each field was last set."""

    name: str | None = None
    name_at: datetime | None = None
    deleted: bool = False
    deleted_at: datetime | None = None
    members_at: datetime | None = None
    version: int = 0
    """Rises with every visible change."""


@dataclass(frozen=True, slots=True)
class Membership:
    """Whether a contact is a member, and when that was said."""

    time: datetime
    member: bool


@dataclass(slots=True)
class MemberChange:
    """The contacts that became members of a list, and those that are members no more."""

    added: list[str]
    removed: list[str]

    @property
    def growth(self) -> int:
        """How many members more the list has."""
        return len(self.added) - len(self.removed)


NO_CHANGE = MemberChange([], [])


def merge(known: List, upsert: ListUpsert) -> List:
    """Return the list with the values of the upsert that are newer; of the same time the greater value wins."""
    merged = known
    if upsert.name is not None and is_newer(upsert.time, upsert.name, known.name_at, known.name or ""):
        merged = replace(merged, name=upsert.name, name_at=upsert.time)
    if upsert.deleted is not None and is_newer(upsert.time, upsert.deleted, known.deleted_at, known.deleted):
        merged = replace(merged, deleted=upsert.deleted, deleted_at=upsert.time)
    if upsert.members is not None and (known.members_at is None or upsert.time > known.members_at):
        merged = replace(merged, members_at=upsert.time)
    return merged


def list_of(upsert: ListUpsert) -> str:
    """Return the id of the list that an upsert is about."""
    return str(getattr(upsert, kind_of(upsert).value))


def kind_of(upsert: ListUpsert) -> ListKind:
    """Return whether an upsert is about a selection or a project."""
    return ListKind.PROJECT if isinstance(upsert, ProjectUpsert) else ListKind.SELECTION


def key_of(event: Event[ListUpsert]) -> ListKey:
    """Return the key of the list that an event is about."""
    return event.tenant, list_of(event.data)


def newest_memberships(
    events: Sequence[Event[ListUpsert]], lists: Mapping[ListKey, List]
) -> dict[MemberKey, Membership]:
    """Return the newest that was said of each member, without what is older than the list's last full member list."""
    newest: dict[MemberKey, Membership] = {}
    for event in events:
        data, place = event.data, key_of(event)
        limit = lists[place].members_at
        if limit is not None and data.time < limit:
            continue
        for member, contacts in ((False, data.remove), (True, [*(data.members or ()), *data.add])):
            for contact in contacts:
                known = newest.get((*place, contact))
                if known is None or (data.time, member) > (known.time, known.member):
                    newest[*place, contact] = Membership(data.time, member)
    return newest


def member_changes(applied: Iterable[tuple[MemberKey, bool]]) -> dict[ListKey, MemberChange]:
    """Return who came and who went by list; `applied` are changes in order, which may cancel each other."""
    net: dict[ListKey, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for (tenant, name, contact), member in applied:
        net[tenant, name][contact] += 1 if member else -1
    return {
        place: MemberChange(sorted(c for c, n in of.items() if n > 0), sorted(c for c, n in of.items() if n < 0))
        for place, of in net.items()
        if any(of.values())
    }


def visible_changes(
    before: Mapping[ListKey, List], after: Mapping[ListKey, List], members: Mapping[ListKey, MemberChange]
) -> dict[ListKey, List]:
    """Return the lists that changed visibly, with their new versions."""
    return {
        place: replace(now, version=now.version + 1)
        for place, now in after.items()
        if place in members or (now.name, now.deleted) != (before[place].name, before[place].deleted) or not now.version
    }


def in_chunks(change: MemberChange) -> Iterator[MemberChange]:
    """Yield a change in parts that fit one event each, at least one."""
    for start in range(0, max(len(change.added), len(change.removed), 1), MAX_EVENT_MEMBERS):
        end = start + MAX_EVENT_MEMBERS
        yield MemberChange(change.added[start:end], change.removed[start:end])
