"""Questions about new addresses that come over the broker, and their answers."""

from collections.abc import Sequence
from dataclasses import asdict

from services.ingest.normalise import SOURCE
from services.ingest.validation.validator import Validator
from shared import ids
from shared.cloudevents import Event, event
from shared.contracts import AddressValidate, AddressValidated, made
from shared.outbox import Work
from shared.telemetry import traceparent


async def answer(events: Sequence[Event[AddressValidate]], work: Work, validator: Validator) -> None:
    """Tell of each address of each question what was found; the same question gets answers with the same ids."""
    for question in events:
        for n, finding in enumerate(await validator.validate(question.data.addresses)):
            data = made(AddressValidated, **asdict(finding), reference=question.data.reference)
            identity = ids.derived(question.id, data.TYPE, n)
            told = event(
                data, id=identity, source=SOURCE, tenant=question.tenant, subject=question.subject,
                traceparent=traceparent(),
            )  # fmt: skip
            work.emit(told)
