"""Bulk operations: from the request to an outcome for each address, by commands and their echoes."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

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


async def take_requests(events: Sequence[Event[OperationRequested]], work: Work) -> None:
    """Begin each new operation and give its commands; a repeated request is the same operation."""
    for request in events:
        data, now = request.data, datetime.now(UTC)
        if not data.addresses and data.mailing is None:
            work.refuse(request, "data.addresses: empty, and no data.mailing; name one of them")
            continue
        values = (
            request.tenant, request.id, data.operation.value, data.mailing, data.by, data.note, data.time, now,
        )  # fmt: skip
        if not await store.begin_operation(work.connection, values):
            continue
        if data.mailing is not None:
            await work.connection.execute(Q["add_returned"], request.tenant, request.id, data.mailing)
        written = {key(address): address for address in data.addresses}
        await work.connection.execute(Q["add_items"], request.tenant, request.id, list(written), list(written.values()))
        addresses = await store.open_items(work.connection, request.tenant, request.id)
        await work.connection.execute(
            Q["add_audit"], request.tenant, now, data.by, data.operation.value, len(addresses), data.note, request.id
        )
        give_commands(work, request.tenant, request.id, addresses, by=data.by, note=data.note, time=data.time)
        await _tell(work, request.tenant, request.id, request.id, now)


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
    for cleared in sorted(events, key=lambda item: (item.tenant, item.data.operation or "")):
        operation_id = cleared.data.operation
        if operation_id is None:
            continue
        addresses = sorted(key(address) for address in cleared.data.addresses)
        await work.connection.execute(Q["settle_items"], cleared.tenant, operation_id, addresses, "cleared")
        touched[cleared.tenant, operation_id] = cleared.id
    for (tenant, operation_id), cause in touched.items():
        await _tell(work, tenant, operation_id, cause, datetime.now(UTC))


async def resend(work: Work, before: datetime) -> int:
    """Give the open commands of stalled operations again; returns how many operations that were."""
    stalled = await work.connection.fetch(Q["stalled_operations"], before)
    for row in stalled:
        addresses = await store.open_items(work.connection, row["tenant"], row["operation_id"])
        give_commands(
            work, row["tenant"], row["operation_id"], addresses,
            by=row["requested_by"], note=row["note"], time=row["requested_at"],
        )  # fmt: skip
        await work.connection.execute(Q["count_operation"], row["tenant"], row["operation_id"], datetime.now(UTC))
    return len(stalled)


async def _tell(work: Work, tenant: str, operation_id: str, cause: str, now: datetime) -> None:
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
