"""The operations, step by step: one transaction takes the next addresses in hand."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from returpost.contracts.addresses import domain_of
from returpost.contracts.enums import UnblockCause
from services.blocklist.address_state import block_log, repository
from services.blocklist.address_state.log_undo import undo_import
from services.blocklist.address_state.reevaluate import Trigger, reassess
from services.blocklist.jobs import repository as jobs
from services.blocklist.jobs.repository import Kind, Operation, Step
from services.blocklist.storms import repository as storm_repository
from services.blocklist.storms.domain import without
from services.blocklist.tenant_settings import repository as policy_repository, settings_preview
from services.blocklist.tenant_settings.changes import Change, changed
from shared.database.pool import Connection
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory

COUNTING_SECONDS = 600


async def work_on_next(uow_factory: UnitOfWorkFactory, chunk: int, now: datetime) -> bool:
    """Do the next step of the oldest operation; return whether there was any."""
    async with uow_factory.begin() as work:
        operation = await jobs.take(work.connection)
        if operation is None:
            return False
        total = await _total(work.connection, operation)
        step = await _STEPS[operation.kind](work, operation, chunk, now)
        await jobs.advance(work.connection, operation, total, step, now)
    return True


async def _total(connection: Connection, operation: Operation) -> int:
    if operation.total is not None:
        return operation.total
    asked: tuple[Any, ...] = (jobs.Q["count_decided"], operation.tenant)
    if operation.kind is Kind.STORM:
        asked = (storm_repository.Q["count_struck"], operation.tenant, UUID(operation.what["storm"]))
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
        storm_repository.Q["next_struck"], operation.tenant, storm, operation.after, chunk, timeout=COUNTING_SECONDS
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
    work: UnitOfWork, operation: Operation, keys: list[repository.Key], lift: UnblockCause, chunk: int, now: datetime
) -> Step:
    step = Step(keys[-1][1] if keys else operation.after, len(keys), last=len(keys) < chunk)
    if keys:
        await repository.touch(work.connection, dict.fromkeys(keys))
        trigger = Trigger(operation.id, operation.requested_at, operation.by, note=operation.note)
        moved = await reassess(work, dict.fromkeys(keys, trigger), lift, now)
        step.blocked, step.freed = moved.blocked, moved.freed
    return step


async def _what_if(work: UnitOfWork, operation: Operation, chunk: int, now: datetime) -> Step:
    keys = await _next(work.connection, operation, chunk)
    known = await repository.known(work.connection, keys)
    before = await policy_repository.of_tenant(work.connection, operation.tenant)
    storms = (await storm_repository.of_tenants(work.connection, [operation.tenant]))[operation.tenant]
    facts = [(key[1], without(known[key].facts, domain_of(key[1]), storms)) for key in keys if key in known]
    result = settings_preview.compare(
        operation.result, facts, before, changed(before, Change.model_validate(operation.what)), operation.requested_at
    )
    return Step(keys[-1][1] if keys else operation.after, len(keys), last=len(keys) < chunk, result=result)


async def _next(connection: Connection, operation: Operation, chunk: int) -> list[repository.Key]:
    rows = await connection.fetch(jobs.Q["next_decided"], operation.tenant, operation.after, chunk)
    return [(operation.tenant, row["address"]) for row in rows]


_STEPS: dict[Kind, Callable[[UnitOfWork, Operation, int, datetime], Awaitable[Step]]] = {
    Kind.SETTINGS: _settings,
    Kind.WHAT_IF: _what_if,
    Kind.STORM: _storm,
    Kind.IMPORT_UNDO: _import_undo,
}
