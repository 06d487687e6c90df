"""Runs background jobs step by step: one transaction takes the next addresses."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from returpost.contracts.addresses import domain_of
from returpost.contracts.enums import UnblockCause
from returpost.errors import ReturpostError
from services.blocklist.address_state.records import Trigger
from services.blocklist.address_state.reevaluate import Changes, reevaluate
from services.blocklist.address_state.repository.postgres import PostgresRepository
from services.blocklist.jobs import repository
from services.blocklist.jobs.domain import Job, JobKind, JobStep
from services.blocklist.storms import repository as storms
from services.blocklist.storms.domain import without
from services.blocklist.suppression_files import repository as imports
from services.blocklist.suppression_files.import_undo import undo_import
from services.blocklist.tenant_settings import settings_preview
from services.blocklist.tenant_settings.changes import SettingsChange, apply_change
from shared.database.pool import Connection
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory

T = TypeVar("T")

COUNTING_SECONDS = 600


async def run_next_job(uow_factory: UnitOfWorkFactory, chunk: int, now: datetime) -> bool:
    """Do the next step, of up to `chunk` addresses, of the oldest job; return whether there was any."""
    async with uow_factory.begin() as work:
        job = await repository.take(work.connection)
        if job is None:
            return False
        total = await _total(work.connection, job) if job.total is None else job.total
        addresses = await _next(work.connection, job, chunk)
        step = JobStep(addresses[-1] if addresses else job.after, len(addresses), last=len(addresses) < chunk)
        if addresses or job.kind is JobKind.SETTINGS_PREVIEW:
            await _STEPS[job.kind](work, job, addresses, step, now)
        await repository.advance(work.connection, job, total, step, now)
    return True


async def _total(connection: Connection, job: Job) -> int:
    parameters = job.parameters
    if job.kind is JobKind.STORM:
        return await storms.count_addresses(connection, job.tenant, _given(parameters.storm), COUNTING_SECONDS)
    if job.kind is JobKind.IMPORT_UNDO:
        import_, received_at = _import(job)
        return await imports.count_addresses(connection, job.tenant, import_, received_at, COUNTING_SECONDS)
    return await repository.count_decided(connection, job.tenant, COUNTING_SECONDS)


async def _next(connection: Connection, job: Job, limit: int) -> list[str]:
    parameters = job.parameters
    if job.kind is JobKind.STORM:
        storm = _given(parameters.storm)
        return await storms.next_addresses(connection, job.tenant, storm, job.after, limit, COUNTING_SECONDS)
    if job.kind is JobKind.IMPORT_UNDO:
        source = _import(job)
        return await imports.next_addresses(connection, job.tenant, job.after, *source, limit, COUNTING_SECONDS)
    return await repository.next_decided(connection, job.tenant, job.after, limit)


async def _settings(work: UnitOfWork, job: Job, addresses: list[str], step: JobStep, now: datetime) -> None:
    await _reevaluate(work, job, addresses, step, UnblockCause.SETTINGS, now)


async def _storm(work: UnitOfWork, job: Job, addresses: list[str], step: JobStep, now: datetime) -> None:
    await _reevaluate(work, job, addresses, step, UnblockCause.STORM, now)


async def _import_undo(work: UnitOfWork, job: Job, addresses: list[str], step: JobStep, now: datetime) -> None:
    keys = [(job.tenant, address) for address in addresses]
    _add(step, await undo_import(work, keys, *_import(job), _trigger(job), now))


async def _reevaluate(
    work: UnitOfWork, job: Job, addresses: list[str], step: JobStep, lift: UnblockCause, now: datetime
) -> None:
    states = PostgresRepository(work.connection)
    keys = [(job.tenant, address) for address in addresses]
    await states.lock_or_create(dict.fromkeys(keys))
    _add(step, await reevaluate(work, states, dict.fromkeys(keys, _trigger(job)), lift, now))


async def _preview(work: UnitOfWork, job: Job, addresses: list[str], step: JobStep, now: datetime) -> None:
    states = PostgresRepository(work.connection)
    records = await states.get([(job.tenant, address) for address in addresses])
    before = await states.policy(job.tenant)
    held = (await states.storms([job.tenant])).get(job.tenant, ())
    facts = [(key[1], without(record.facts, domain_of(key[1]), held)) for key, record in records.items()]
    after = apply_change(before, job.parameters.change or SettingsChange())
    step.result = settings_preview.compare(job.result, facts, before, after, job.requested_at)


_STEPS: dict[JobKind, Callable[[UnitOfWork, Job, list[str], JobStep, datetime], Awaitable[None]]] = {
    JobKind.SETTINGS: _settings,
    JobKind.SETTINGS_PREVIEW: _preview,
    JobKind.STORM: _storm,
    JobKind.IMPORT_UNDO: _import_undo,
}


def _trigger(job: Job) -> Trigger:
    return Trigger(job.id, job.requested_at, job.by, note=job.note)


def _import(job: Job) -> tuple[UUID, datetime]:
    return _given(job.parameters.import_), _given(job.parameters.received_at)


def _given(parameter: T | None) -> T:
    if parameter is None:
        raise ReturpostError("job: a parameter of its kind is missing")
    return parameter


def _add(step: JobStep, changes: Changes) -> None:
    step.blocked, step.freed = changes.blocked, changes.freed
