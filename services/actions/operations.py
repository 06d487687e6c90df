"""Bulk operations: from the request to an outcome for each address, by commands and their echoes."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from services.actions import store
from services.actions.contacts import SOURCE
from services.actions.store import Q
from shared import ids
from shared.addresses import key
from shared.cloudevents import Event, event
from shared.contracts import (
    BlockClear,
    BlockCleared,
    Operation,
    OperationFinished,
    OperationProgressed,
    OperationRequested,
    OperationState,
)
from shared.outbox import Work
from shared.telemetry import traceparent

CHUNK = 1_000
"""Addresses a command: an outcome, and progress, for each."""


def chunks(addresses: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield numbered parts of a list of addresses; the same list gives the same parts."""
    for start in range(0, len(addresses), CHUNK):
        yield start // CHUNK, list(addresses[start : start + CHUNK])


async def take_requests(events: Sequence[Event[OperationRequested]], work: Work, tolerance: timedelta) -> None:
    """Begin each new operation and give its commands; a repeated request is the same operation."""
    for request in events:
        data, now = request.data, datetime.now(UTC)
        if not data.addresses and data.mailing is None:
            work.refuse(request, "data.addresses: empty, and no data.mailing; name one of them")
        elif data.time > now + tolerance:
            # The blocklist refuses clears from the future: the operation would never end.
            work.refuse(request, f"data.time: {data.time.isoformat()} is in the future; set the clock right")
        else:
            await _begin(request, work, now)


async def _begin(request: Event[OperationRequested], work: Work, now: datetime) -> None:
    data = request.data
    values = (request.tenant, request.id, data.operation.value, data.mailing, data.by, data.note, data.time, now)
    written = {key(address): address for address in data.addresses}
    erased = await store.erased(work.connection, ((request.tenant, address) for address in written))
    if not await store.begin_operation(work.connection, values):
        return
    if data.mailing is not None:
        await work.connection.execute(Q["add_returned"], request.tenant, request.id, data.mailing)
    for (_, address), at in erased.items():
        if data.time <= at:
            del written[address]
    await work.connection.execute(Q["add_items"], request.tenant, request.id, list(written), list(written.values()))
    addresses = await store.open_items(work.connection, request.tenant, request.id)
    await work.connection.execute(
        Q["add_audit"], request.tenant, now, data.by, data.operation.value, len(addresses), data.note, request.id
    )
    give_commands(work, request.tenant, request.id, addresses, by=data.by, note=data.note, time=data.time)
    await tell(work, request.tenant, request.id, request.id, now)


def give_commands(
    work: Work, tenant: str, operation_id: str, addresses: Sequence[str], *, by: str, note: str, time: datetime
) -> None:
    """Command the clearing of these addresses, at the time of the request: what bounces later counts again."""
    for _, part in chunks(addresses):
        data = BlockClear.model_construct(addresses=part, time=time, by=by, note=note, operation=operation_id)
        identity = ids.of_content(tenant, operation_id, BlockClear.TYPE, *part)
        work.command(
            event(data, id=identity, source=SOURCE, tenant=tenant, subject=operation_id, traceparent=traceparent())
        )


async def take_cleared(events: Sequence[Event[BlockCleared]], work: Work) -> None:
    """Tick off what was cleared, and tell how far each operation is."""
    touched: dict[tuple[str, str], str] = {}
    ours = {(cleared.tenant, cleared.data.operation) for cleared in events if cleared.data.operation is not None}
    await work.connection.execute(Q["hold_operations"], *store.columns(sorted(ours), 2))
    for cleared in events:
        operation_id = cleared.data.operation
        if operation_id is None:
            continue
        addresses = sorted({key(address) for address in cleared.data.addresses})
        settled = await work.connection.fetchval(Q["settle_items"], cleared.tenant, operation_id, addresses, "cleared")
        if settled:
            touched[cleared.tenant, operation_id] = cleared.id
    for (tenant, operation_id), cause in touched.items():
        await tell(work, tenant, operation_id, cause, datetime.now(UTC))


async def resend(work: Work, before: datetime) -> int:
    """Give the open commands of stalled operations again; returns how many operations that were."""
    stalled = await work.connection.fetch(Q["stalled_operations"], before)
    for row in stalled:
        addresses = await store.open_items(work.connection, row["tenant"], row["operation_id"])
        give_commands(
            work, row["tenant"], row["operation_id"], addresses,
            by=row["requested_by"], note=row["note"], time=row["requested_at"],
        )  # fmt: skip
        await work.connection.execute(Q["touch_operation"], row["tenant"], row["operation_id"], datetime.now(UTC))
    return len(stalled)


async def tell(work: Work, tenant: str, operation_id: str, cause: str, now: datetime) -> None:
    """Count how far an operation is, which is in hand, and tell of it; end it when nothing is open."""
    row = await work.connection.fetchrow(Q["count_operation"], tenant, operation_id, now)
    if row is None:
        return
    operation = Operation(row["operation"])
    progressed = OperationProgressed(
        operation=operation, operation_id=operation_id, total=row["total"], done=row["done"], time=now
    )
    _emit(work, progressed, cause, tenant, operation_id)
    if row["state"] == "finished":
        outcomes = await work.connection.fetch(Q["outcomes"], tenant, operation_id)
        finished = OperationFinished(
            operation=operation,
            operation_id=operation_id,
            state=OperationState.FINISHED,
            total=row["total"],
            outcomes={outcome["outcome"]: outcome["count"] for outcome in outcomes},
            by=row["requested_by"],
            time=now,
        )
        _emit(work, finished, operation_id, tenant, operation_id)


def _emit(
    work: Work, data: OperationProgressed | OperationFinished, cause: str, tenant: str, operation_id: str
) -> None:
    identity = ids.derived(cause, data.TYPE)
    work.emit(event(data, id=identity, source=SOURCE, tenant=tenant, subject=operation_id, traceparent=traceparent()))
