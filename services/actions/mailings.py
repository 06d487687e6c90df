"""Mailings: what they are called, and whom they are going to; field by field the newest. `merge` is plain."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from returpost.contracts import MailingUpsert
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event
from services.actions import store
from services.actions.store import columns
from services.actions.text import folded
from shared.database.queries import queries
from shared.messaging.unit_of_work import UnitOfWork

Q = queries(Path(__file__).with_name("sql") / "mailings.sql")


@dataclass(frozen=True, slots=True)
class Mailing:
    """A mailing with the time at which each part was last told."""

    name: str | None = None
    name_at: datetime | None = None
    subject: str | None = None
    subject_at: datetime | None = None
    sent_at: datetime | None = None
    """When it was sent or is to be, as it was told."""
    sent_told_at: datetime | None = None
    version: int = 0


def merge(mailing: Mailing, told: MailingUpsert) -> Mailing:
    """Return the mailing with what was told, where that is newer; of the same time the greater value."""
    new: dict[str, Any] = {}
    for field, at in (("name", "name_at"), ("subject", "subject_at"), ("sent_at", "sent_told_at")):
        value, old, old_time = getattr(told, field), getattr(mailing, field), getattr(mailing, at)
        if value is not None and (old_time is None or (told.time, value) > (old_time, old)):
            new |= {field: value, at: told.time}
    merged = replace(mailing, **new)
    return merged if _shown(merged) == _shown(mailing) else replace(merged, version=mailing.version + 1)


def _shown(mailing: Mailing) -> tuple[object, ...]:
    return mailing.name, mailing.subject, mailing.sent_at


async def take_mailings(events: Sequence[Event[MailingUpsert]], work: UnitOfWork) -> None:
    """Merge what was told, and plan the recipients that were named."""
    named = sorted({(told.tenant, told.data.mailing, key(one)) for told in events for one in told.data.recipients})
    erased = await store.erased(work.connection, ((tenant, address) for tenant, _, address in named))
    seen: dict[store.Place, tuple[datetime, datetime]] = {}
    for told in events:
        place, time = (told.tenant, told.data.mailing), told.data.time
        first, last = seen.get(place, (time, time))
        seen[place] = (min(first, time), max(last, time))
    await store.see_mailings(work.connection, seen)
    rows = await work.connection.fetch(Q["read_mailings"], *columns(sorted(seen), 2))
    before = {(row["tenant"], row["mailing"]): Mailing(*(row[field.name] for field in fields(Mailing))) for row in rows}
    after = dict(before)
    for told in events:
        place = (told.tenant, told.data.mailing)
        after[place] = merge(after[place], told.data)
    new = [
        (*place, m.name, m.name_at, m.subject, m.subject_at, m.sent_at, m.sent_told_at, m.version,
         folded(f"{m.name or ''} {m.subject or ''}"))
        for place, m in after.items() if m != before[place]
    ]  # fmt: skip
    await work.connection.execute(Q["write_mailings"], *columns(new, 10))
    if named:
        gone = _gone(events, erased)
        await work.connection.execute(Q["plan_recipients"], *columns([one for one in named if one not in gone], 3))


def _gone(events: Sequence[Event[MailingUpsert]], erased: dict[store.Place, datetime]) -> set[tuple[str, str, str]]:
    """Return the recipients whose addresses were erased after the last time that they were named."""
    if not erased:
        return set()
    newest: dict[tuple[str, str, str], datetime] = {}
    for told in events:
        for address in told.data.recipients:
            place = (told.tenant, told.data.mailing, key(address))
            newest[place] = max(told.data.time, newest.get(place, told.data.time))
    return {
        place for place, at in newest.items() if (place[0], place[2]) in erased and at <= erased[place[0], place[2]]
    }
