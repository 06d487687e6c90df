"""Operations that are asked for by a command: programs look at no preview. Handlers."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from returpost.contracts import OperationRequested, OperationState
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event, explain
from services.actions import store as actions_store
from services.actions.operations import preview, store
from services.actions.operations.chosen import Chosen
from services.actions.operations.kinds import KINDS
from services.actions.operations.model import Refused
from services.actions.operations.preview import Request
from shared.messaging.unit_of_work import UnitOfWork


async def take_requests(
    events: Sequence[Event[OperationRequested]], work: UnitOfWork, tolerance: timedelta, grace: timedelta
) -> None:
    """Queue each new operation; a repeated request is the same operation."""
    for event in events:
        if event.data.time > datetime.now(UTC) + tolerance:
            # The blocklist refuses clears from the future: the operation would never end.
            work.refuse(event, f"data.time: {event.data.time.isoformat()} is in the future; set the clock right")
            continue
        try:
            async with work.connection.transaction():
                await _queue(event, work, grace)
        except ValidationError as error:
            work.refuse(event, f"data.{explain(error)}")
        except Refused as refused:
            work.refuse(event, f"data.{refused}")


async def _queue(event: Event[OperationRequested], work: UnitOfWork, grace: timedelta) -> None:
    data = event.data
    request = Request(
        id=event.id,
        tenant=event.tenant,
        operation=data.operation,
        chosen=await _chosen(event, work),
        parameters=KINDS[data.operation].parameters.model_validate(data.parameters),
        by=data.by,
        note=data.note,
        time=data.time,
    )
    known = await work.connection.fetchval(store.Q["stored"], event.tenant, event.id)
    if known is not None:
        return
    operation = await preview.freeze(work, request)
    if operation.state is OperationState.PREVIEWED:
        await preview.queue(work, operation, data.by, data.time, grace)


async def _chosen(event: Event[OperationRequested], work: UnitOfWork) -> Chosen:
    """Return what was chosen, without the addresses that were erased since it was asked for."""
    data = event.data
    named = [name for name in ("addresses", "mailing", "filter") if getattr(data, name)]
    if len(named) != 1:
        raise Refused(f"{', '.join(named) or 'addresses: empty'}; name addresses, a mailing or a filter, one of them")
    if data.filter is not None:
        return Chosen(filter=data.filter)
    if data.mailing is not None:
        return Chosen(returned_in=data.mailing)
    places = [(event.tenant, key(address)) for address in data.addresses]
    erased = await actions_store.erased(work.connection, places)
    gone = {address for (_, address), at in erased.items() if data.time <= at}
    return Chosen.model_construct(
        _fields_set={"addresses"}, addresses=[one for one in data.addresses if key(one) not in gone]
    )
