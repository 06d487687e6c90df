"""Commands that request operations, and the blocklist's answers to the commands of operations."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from returpost.contracts import BlockApplied, BlockCleared, OperationRequested, OperationState
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event, explain
from returpost.errors import InvalidMessage
from services.actions.mailings.repository.erasures import erased_at
from services.actions.operations import preview
from services.actions.operations.domain import Refused
from services.actions.operations.events import emit_progress_of
from services.actions.operations.registry import REGISTRY
from services.actions.operations.repository import operations
from services.actions.operations.target import Target
from shared.clock import check_not_in_future
from shared.erased_addresses import is_erased
from shared.messaging.unit_of_work import UnitOfWork


async def request_operations(
    events: Sequence[Event[OperationRequested]], work: UnitOfWork, tolerance: timedelta, grace: timedelta
) -> None:
    """Queue each new operation without a preview; a repeated request is the same operation."""
    for event in events:
        try:
            # The blocklist refuses clears from the future: the operation would never end.
            check_not_in_future(event.data.time, datetime.now(UTC), tolerance)
            async with work.connection.transaction():
                await _queue(event, work, grace)
        except ValidationError as error:
            work.refuse(event, f"data.{explain(error)}")
        except (InvalidMessage, Refused) as refused:
            work.refuse(event, f"data.{refused}")


async def settle_cleared(events: Sequence[Event[BlockCleared]], work: UnitOfWork) -> None:
    """Settle the parts whose clears took effect, and emit how far each operation is."""
    await settle(work, [cleared.id for cleared in events if cleared.data.operation is not None])


async def settle_applied(events: Sequence[Event[BlockApplied]], work: UnitOfWork) -> None:
    """Settle the parts whose blocks were set, or whose commands were undone."""
    await settle(work, [applied.id for applied in events])


async def settle(work: UnitOfWork, events: Sequence[str]) -> None:
    """Settle the parts that wait for events with these ids, and emit how far each operation is."""
    if events:
        await emit_progress_of(work, await operations.settle_parts(work.connection, events))


async def _queue(event: Event[OperationRequested], work: UnitOfWork, grace: timedelta) -> None:
    data = event.data
    request = preview.OperationRequest(
        id=event.id,
        tenant=event.tenant,
        operation=data.operation,
        target=await _target(event, work),
        parameters=REGISTRY[data.operation].parameters.model_validate(data.parameters),
        by=data.by,
        note=data.note,
        time=data.time,
    )
    if await operations.find(work.connection, event.tenant, event.id) is not None:
        return
    operation = await preview.freeze(work, request)
    if operation.state is OperationState.PREVIEWED:
        await preview.queue(work, operation, data.by, data.time, grace)


async def _target(event: Event[OperationRequested], work: UnitOfWork) -> Target:
    """Return the target of a request, without the addresses that were erased since."""
    data = event.data
    named = [name for name in ("addresses", "mailing", "filter") if getattr(data, name)]
    if len(named) != 1:
        raise Refused(f"{', '.join(named) or 'addresses: empty'}; name addresses, a mailing or a filter, one of them")
    if data.filter is not None:
        return Target(filter=data.filter)
    if data.mailing is not None:
        return Target(returned_in=data.mailing)
    erased = await erased_at(work.connection, [(event.tenant, key(address)) for address in data.addresses])
    kept = [one for one in data.addresses if not is_erased(erased, event.tenant, key(one), data.time)]
    return Target.model_construct(_fields_set={"addresses"}, addresses=kept)
