"""Questions about new addresses that come over the broker, and their answers."""

from collections.abc import Sequence
from dataclasses import asdict

from returpost.contracts import AddressValidate, AddressValidated, construct_trusted, ids
from returpost.contracts.cloudevents import Event
from returpost.validation.validator import Validator
from services.ingest.events import new_event
from shared.messaging.unit_of_work import UnitOfWork


async def handle_validate(events: Sequence[Event[AddressValidate]], work: UnitOfWork, validator: Validator) -> None:
    """Tell of each address of each question what was found; the same question gets answers with the same ids."""
    for question in events:
        for n, finding in enumerate(await validator.validate(question.data.addresses)):
            data = construct_trusted(AddressValidated, **asdict(finding), reference=question.data.reference)
            identity = ids.derived(question.id, data.TYPE, n)
            work.emit(new_event(data, id=identity, tenant=question.tenant, subject=question.subject))
