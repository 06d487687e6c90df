"""Commands about selections and projects."""

from collections.abc import Callable, Sequence

from returpost.contracts import ListUpsert
from returpost.contracts.cloudevents import Event
from services.actions.contacts.lists.domain import (
    NO_CHANGE,
    key_of,
    kind_of,
    member_changes,
    merge,
    newest_memberships,
    visible_changes,
)
from services.actions.contacts.lists.events import list_changed
from services.actions.contacts.lists.repository import ListRepository, PostgresLists
from shared.messaging.unit_of_work import UnitOfWork


async def upsert_lists(
    events: Sequence[Event[ListUpsert]],
    work: UnitOfWork,
    repository_of: Callable[[UnitOfWork], ListRepository] = PostgresLists,
) -> None:
    """Merge upserts of lists of one kind, and emit events for each visible change."""
    repository, kind = repository_of(work), kind_of(events[0].data)
    causes = {key_of(event): event for event in reversed(events)}
    before = await repository.lock_or_create(kind, sorted(causes))
    after = dict(before)
    for event in events:
        after[key_of(event)] = merge(after[key_of(event)], event.data)
    replaced = {place: now for place, now in after.items() if now.members_at != before[place].members_at}
    applied = await repository.apply_memberships(kind, newest_memberships(events, after), replaced)
    members = member_changes(applied)
    changed = visible_changes(before, after, members)
    for place, now in changed.items():
        for changed_event in list_changed(now, members.get(place, NO_CHANGE), causes[place]):
            work.emit(changed_event)
    lists = {place: now for place, now in (after | changed).items() if now != before[place]}
    await repository.save(kind, lists, {place: change.growth for place, change in members.items()})
