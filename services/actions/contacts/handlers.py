"""Commands about contacts."""

from collections.abc import Callable, Sequence

from returpost.contracts import ContactUpsert, ids
from returpost.contracts.cloudevents import Event
from services.actions.contacts.domain import addresses_of, apply_upserts
from services.actions.contacts.events import contact_changed
from services.actions.contacts.former_employees import tell_former, touched_by
from services.actions.contacts.repository import ContactRepository, PostgresContacts
from shared.messaging.unit_of_work import UnitOfWork


async def upsert_contacts(
    events: Sequence[Event[ContactUpsert]],
    work: UnitOfWork,
    repository_of: Callable[[UnitOfWork], ContactRepository] = PostgresContacts,
) -> None:
    """Merge the upserts, and emit an event for each visible change."""
    repository = repository_of(work)
    erased = await repository.erased_at(addresses_of(events))
    before = await repository.lock_or_create(sorted({(event.tenant, event.data.contact) for event in events}))
    after, changes = apply_upserts(before, events, erased)
    for change in changes:
        work.emit(contact_changed(change))
    await repository.save({place: c for place, c in after.items() if c != before[place]}, before)
    if changes and (changed := await repository.refresh_former(touched_by(before, after))):
        cause = ids.of_content("former employees", *(change.cause.id for change in changes))
        tell_former(work, changed, cause, changes[-1].cause.source)
