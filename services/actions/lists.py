"""Selections and projects: of whatever is told, field by field and member by member the newest. `merge` is plain."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path

from returpost.contracts import ListChanged, ListUpsert, ProjectChanged, ProjectUpsert, SelectionChanged, ids
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.enums import ListKind
from returpost.contracts.trace_context import traceparent
from services.actions.contacts import SOURCE
from services.actions.store import columns
from services.actions.text import folded, order_key
from shared.database.queries import queries
from shared.messaging.unit_of_work import UnitOfWork

Q = queries(Path(__file__).with_name("sql") / "lists.sql")

Place = tuple[str, str]
"""Tenant and list."""
Told = Event[ListUpsert]
CHUNK = 5_000
"""Members that one event of a change names."""


@dataclass(frozen=True, slots=True)
class List:
    """A list without its members, with the time at which each part was last told."""

    name: str | None = None
    name_at: datetime | None = None
    deleted: bool = False
    deleted_at: datetime | None = None
    members_at: datetime | None = None
    version: int = 0
    """Rises with every change that is to be seen."""


@dataclass(slots=True)
class Moved:
    """Who came and who went."""

    added: list[str]
    removed: list[str]


def merge(known: List, told: ListUpsert) -> List:
    """Return the list with what was told, where that is newer; of the same time the greater value."""
    merged = known
    if told.name is not None and _newer(told.time, told.name, known.name_at, known.name or ""):
        merged = replace(merged, name=told.name, name_at=told.time)
    if told.deleted is not None and _newer(told.time, told.deleted, known.deleted_at, known.deleted):
        merged = replace(merged, deleted=told.deleted, deleted_at=told.time)
    if told.members is not None and (known.members_at is None or told.time > known.members_at):
        merged = replace(merged, members_at=told.time)
    return merged


def _newer(time: datetime, value: object, old_time: datetime | None, old_value: object) -> bool:
    return old_time is None or (time, value) > (old_time, old_value)


def list_of(told: ListUpsert) -> str:
    """Return the id of the list that something is told of."""
    return str(getattr(told, kind_of(told).value))


def kind_of(told: ListUpsert) -> ListKind:
    """Return what it is."""
    return ListKind.PROJECT if isinstance(told, ProjectUpsert) else ListKind.SELECTION


async def take_lists(events: Sequence[Told], work: UnitOfWork) -> None:
    """Merge what was told of lists of one kind, and tell of each that is not what it was."""
    kind = kind_of(events[0].data).value
    causes = {(told.tenant, list_of(told.data)): told for told in reversed(events)}
    places = columns(sorted(causes), 2)
    await work.connection.execute(Q["lock_lists"], kind, *places)
    rows = await work.connection.fetch(Q["hold_lists"], kind, *places)
    before = {(row["tenant"], row["list"]): List(*(row[field.name] for field in fields(List))) for row in rows}
    after = dict(before)
    for told in events:
        place = (told.tenant, list_of(told.data))
        after[place] = merge(after[place], told.data)
    moved = await _move(work, kind, events, before, after)
    changed: dict[Place, List] = {}
    for place, now in after.items():
        if place in moved or (now.name, now.deleted) != (before[place].name, before[place].deleted) or not now.version:
            changed[place] = replace(now, version=now.version + 1)
            tell(work, ListKind(kind), place, changed[place], moved.get(place), causes[place])
    await _write(work, kind, {p: now for p, now in (after | changed).items() if now != before[p]}, moved)


async def _move(
    work: UnitOfWork, kind: str, events: Sequence[Told], before: dict[Place, List], after: dict[Place, List]
) -> dict[Place, Moved]:
    """Apply what was told of members; return whom that changed, by list."""
    told = [(*key, member, at) for key, (at, member) in sorted(_members(events, after).items())]
    rows = await work.connection.fetch(Q["tell_members"], kind, *columns(told, 5))
    anew = [(*place, now.members_at) for place, now in after.items() if now.members_at != before[place].members_at]
    gone = await work.connection.fetch(Q["end_members"], kind, *columns(anew, 3)) if anew else []
    net: dict[Place, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        net[row["tenant"], row["list"]][row["contact"]] += 1 if row["member"] else -1
    for row in gone:
        net[row["tenant"], row["list"]][row["contact"]] -= 1
    return {
        place: Moved(sorted(c for c, n in of.items() if n > 0), sorted(c for c, n in of.items() if n < 0))
        for place, of in net.items()
        if any(of.values())
    }


def _members(events: Sequence[Told], after: dict[Place, List]) -> dict[tuple[str, str, str], tuple[datetime, bool]]:
    """Return the newest that was told of each member, without what is older than the last telling of all members."""
    newest: dict[tuple[str, str, str], tuple[datetime, bool]] = {}
    for told in events:
        data, place = told.data, (told.tenant, list_of(told.data))
        limit = after[place].members_at
        if limit is not None and data.time < limit:
            continue
        for member, contacts in ((False, data.remove), (True, [*(data.members or ()), *data.add])):
            for contact in contacts:
                key = (*place, contact)
                newest[key] = max(newest.get(key, (data.time, member)), (data.time, member))
    return newest


async def _write(work: UnitOfWork, kind: str, new: dict[Place, List], moved: dict[Place, Moved]) -> None:
    rows = []
    for place, now in sorted(new.items()):
        more = len(moved[place].added) - len(moved[place].removed) if place in moved else 0
        rows.append(
            (
                *place, now.name, now.name_at, order_key(now.name), folded(now.name or ""), now.deleted, now.deleted_at,
                now.members_at, more, now.version,
            )
        )  # fmt: skip
    await work.connection.execute(Q["write_lists"], kind, *columns(rows, 11))


def tell(work: UnitOfWork, kind: ListKind, place: Place, now: List, moved: Moved | None, cause: Told) -> None:
    """Emit what is different of a list, in events of at most `CHUNK` members."""
    for number, (added, removed) in enumerate(_chunks(moved or Moved([], []))):
        values = {
            kind.value: place[1], "what": "upserted", "name": now.name, "added": added, "removed": removed,
            "deleted": now.deleted, "by": cause.source, "time": cause.data.time,
        }  # fmt: skip
        data: ListChanged = (ProjectChanged if kind is ListKind.PROJECT else SelectionChanged)(**values)
        identity = ids.derived(cause.id, data.TYPE, number)
        work.emit(event(data, id=identity, source=SOURCE, tenant=place[0], subject=place[1], traceparent=traceparent()))


def _chunks(moved: Moved) -> Iterator[tuple[list[str], list[str]]]:
    yield moved.added[:CHUNK], moved.removed[:CHUNK]
    for start in range(CHUNK, max(len(moved.added), len(moved.removed)), CHUNK):
        yield moved.added[start : start + CHUNK], moved.removed[start : start + CHUNK]
