"""The operations, step by step: one transaction takes the next addresses in hand."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from returpost.contracts.addresses import domain_of
from returpost.contracts.enums import UnblockCause
from services.blocklist import block_log, operations, policies, store, storm_store, what_if
from services.blocklist.operations import Kind, Operation, Step
from services.blocklist.reassess import Trigger, reassess
from services.blocklist.storms import without
from services.blocklist.tenant_settings import Change, changed
from services.blocklist.undoing import undo_import
from shared.database.pool import Connection
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory

COUNTING_SECONDS = 600


async def work_on_next(uow_factory: UnitOfWorkFactory, chunk: int, now: datetime) -> bool:
    """Do the next step of the oldest operation; return whether there was any."""
    async with uow_factory.begin() as work:
        operation = await operations.take(work.connection)
        if operation is None:
            return False
        total = await _total(work.connection, operation)
        step = await _STEPS[operation.kind](work, operation, chunk, now)
        await operations.advance(work.connection, operation, total, step, now)
    return True


async def _total(connection: Connection, operation: Operation) -> int:
    if operation.total is not None:
        return operation.total
    asked: tuple[Any, ...] = (operations.Q["count_decided"], operation.tenant)
    if operation.kind is Kind.STORM:
        asked = (storm_store.Q["count_struck"], operation.tenant, UUID(operation.what["storm"]))
    if operation.kind is Kind.IMPORT_UNDO:
        received_at = datetime.fromisoformat(operation.what["received_at"])
        query = block_log.Q["count_imported"]
        asked = (query, operation.tenant, f"import-{operation.what['import']}", received_at)
    total: int = await connection.fetchval(*asked, timeout=COUNTING_SECONDS)
    return total


async def _settings(work: UnitOfWork, operation: Operation, chunk: int, now: datetime) -> Step:
    keys = await _next(work.connection, operation, chunk)
    return await _looked_at(work, operation, keys, UnblockCause.SETTINGS, chunk, now)


async def _storm(work: UnitOfWork, operation: Operation, chunk: int, now: datetime) -> Step:
    storm = UUID(operation.what["storm"])
    rows = await work.connection.fetch(
        storm_store.Q["next_struck"], operation.tenant, storm, operation.after, chunk, timeout=COUNTING_SECONDS
    )
    keys = [(operation.tenant, row["address"]) for row in rows]
    return await _looked_at(work, operation, keys, UnblockCause.STORM, chunk, now)


async def _import_undo(work: UnitOfWork, operation: Operation, chunk: int, now: datetime) -> Step:
    import_, received_at = UUID(operation.what["import"]), datetime.fromisoformat(operation.what["received_at"])
    rows = await work.connection.fetch(
        block_log.Q["next_imported"], operation.tenant, operation.after, f"import-{import_}", received_at, chunk,
        timeout=COUNTING_SECONDS,
    )  # fmt: skip
    keys = [(operation.tenant, row["address"]) for row in rows]
    step = Step(keys[-1][1] if keys else operation.after, len(keys), last=len(keys) < chunk)
    if keys:
        trigger = Trigger(operation.id, operation.requested_at, operation.by, note=operation.note)
        moved = await undo_import(work, keys, import_, received_at, trigger, now)
        step.blocked, step.freed = moved.blocked, moved.freed
    return step


async def _looked_at(
    work: UnitOfWork, operation: Operation, keys: list[store.Key], lift: UnblockCause, chunk: int, now: datetime
) -> Step:
    step = Step(keys[-1][1] if keys else operation.after, len(keys), last=len(keys) < chunk)
    if keys:
        await store.touch(work.connection, dict.fromkeys(keys))
        trigger = Trigger(operation.id, operation.requested_at, operation.by, note=operation.note)
        moved = await reassess(work, dict.fromkeys(keys, trigger), lift, now)
        step.blocked, step.freed = moved.blocked, moved.freed
    return step


async def _what_if(work: UnitOfWork, operation: Operation, chunk: int, now: datetime) -> Step:
    keys = await _next(work.connection, operation, chunk)
    known = await store.known(work.connection, keys)
    before = await policies.of_tenant(work.connection, operation.tenant)
    storms = (await storm_store.of_tenants(work.connection, [operation.tenant]))[operation.tenant]
    facts = [(key[1], without(known[key].facts, domain_of(key[1]), storms)) for key in keys if key in known]
    result = what_if.compare(
        operation.result, facts, before, changed(before, Change.model_validate(operation.what)), operation.requested_at
    )
    return Step(keys[-1][1] if keys else operation.after, len(keys), last=len(keys) < chunk, result=result)


async def _next(connection: Connection, operation: Operation, chunk: int) -> list[store.Key]:
    rows = await connection.fetch(operations.Q["next_decided"], operation.tenant, operation.after, chunk)
    return [(operation.tenant, row["address"]) for row in rows]


_STEPS: dict[Kind, Callable[[UnitOfWork, Operation, int, datetime], Awaitable[Step]]] = {
    Kind.SETTINGS: _settings,
    Kind.WHAT_IF: _what_if,
    Kind.STORM: _storm,
    Kind.IMPORT_UNDO: _import_undo,
}
