"""Events about contacts."""

from returpost.contracts import ContactChanged, ids
from returpost.contracts.cloudevents import Event
from services.actions.contacts.domain import ContactChange
from services.actions.events import new_event


def contact_changed(change: ContactChange) -> Event[ContactChanged]:
    """Return the event that says what a contact is after an upsert."""
    contact, cause = change.contact, change.cause
    data = ContactChanged(
        contact=cause.data.contact, what="upserted", by=cause.source, time=cause.data.time, version=contact.version,
        name=contact.name, company=contact.company, external_id=contact.external_id,
        former_employee=contact.former_employee, addresses=list(contact.addresses),
    )  # fmt: skip
    identity = ids.derived(cause.id, ContactChanged.TYPE)
    return new_event(data, id=identity, tenant=cause.tenant, subject=data.contact)
