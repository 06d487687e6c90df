"""Questions about new addresses that come over the broker, and their answers."""

from collections.abc import Sequence
from dataclasses import asdict

from returpost.bounces.events.results import SOURCE
from returpost.contracts import AddressValidate, AddressValidated, construct_trusted, ids
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.trace_context import traceparent
from returpost.validation.validator import Validator
from shared.messaging.unit_of_work import UnitOfWork


async def handle_validate(events: Sequence[Event[AddressValidate]], work: UnitOfWork, validator: Validator) -> None:
    """Tell of each address of each question what was found; the same question gets answers with the same ids."""
    for question in events:
        for n, finding in enumerate(await validator.validate(question.data.addresses)):
            data = construct_trusted(AddressValidated, **asdict(finding), reference=question.data.reference)
            identity = ids.derived(question.id, data.TYPE, n)
            told = event(
                data, id=identity, source=SOURCE, tenant=question.tenant, subject=question.subject,
                traceparent=traceparent(),
            )  # fmt: skip
            work.emit(told)
