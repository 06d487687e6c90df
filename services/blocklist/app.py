"""Blocklist: verdicts -> return counts and blocks; the check before a mailing; the tenants' settings."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from fastapi import APIRouter

from returpost.contracts import (
    AddressBlocked,
    AddressCheck,
    AddressCorrect,
    AddressCorrected,
    AddressErase,
    AddressErased,
    AddressUnblocked,
    BlockApplied,
    BlockClear,
    BlockCleared,
    BlockSet,
    BlockUndo,
    BounceClassified,
    DeliveryRecorded,
    SettingsChanged,
    StormEnded,
    StormStarted,
    WebhookDisabled,
)
from returpost.contracts.routing import COMMANDS
from services.blocklist.address_state.command_undo import take_undos
from services.blocklist.address_state.erasures import http as erasures
from services.blocklist.address_state.erasures.scheduled_erasures import erase_due
from services.blocklist.address_state.expiry import review_due
from services.blocklist.address_state.handlers.commands import take_clears, take_erasures, take_sets
from services.blocklist.address_state.handlers.corrections import take_corrections
from services.blocklist.address_state.handlers.results import take_results, take_verdicts
from services.blocklist.address_state.http import addresses, blocks, commands, corrections
from services.blocklist.checks.bloom_filter import Prefilters
from services.blocklist.checks.check_rpc import read_question, take_questions
from services.blocklist.checks.http import check, snapshot
from services.blocklist.jobs import http as jobs
from services.blocklist.jobs.job_worker import work_on_next
from services.blocklist.outbound_webhooks.http import deliveries, webhooks
from services.blocklist.outbound_webhooks.leases import post_for_all
from services.blocklist.outbound_webhooks.ssrf_guard import Rules
from services.blocklist.settings import Settings
from services.blocklist.storms import http as storms
from services.blocklist.storms.domain import Limits
from services.blocklist.storms.repository import notice
from services.blocklist.storms.storm_window import Watch
from services.blocklist.suppression_files.http import files, reconciliation
from services.blocklist.suppression_files.worker import work_off_next
from services.blocklist.tenant_settings import http as tenant_settings
from shared.service import Service, run

ROUTERS = (
    *(check, snapshot, files, corrections, erasures, reconciliation, blocks, commands),
    *(addresses, tenant_settings, jobs, storms, deliveries, webhooks),
)
"""In this order: a path of letters before one that takes any."""


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def create(settings: Settings, clock: Callable[[], datetime] = utc_now) -> Service[Settings]:
    """Wire the service."""
    service = Service("blocklist", settings, description=__doc__ or "")
    tolerance, remember = settings.clock_tolerance, settings.remember_erased
    watch = Watch(Limits(bounces=settings.storm_bounces, share=settings.storm_share), clock)
    webhook_rules = Rules(settings.webhook_networks, settings.webhook_plain_http)
    job_requested, list_received = asyncio.Event(), asyncio.Event()

    service.consume("blocklist.delivery-recorded", DeliveryRecorded, partial(take_results, clock=clock, watch=watch))
    service.consume("blocklist.bounce-classified", BounceClassified, partial(take_verdicts, clock=clock, watch=watch))
    sets, clears = (partial(take, clock=clock, tolerance=tolerance) for take in (take_sets, take_clears))
    service.consume("blocklist.block-set", BlockSet, sets, exchange=COMMANDS)
    service.consume("blocklist.block-clear", BlockClear, clears, exchange=COMMANDS)
    erase = partial(take_erasures, clock=clock, remember=remember)
    service.consume("blocklist.address-erase", AddressErase, erase, exchange=COMMANDS)
    service.consume("blocklist.block-undo", BlockUndo, partial(take_undos, clock=clock), exchange=COMMANDS)
    correct = partial(take_corrections, clock=clock)
    service.consume("blocklist.address-correct", AddressCorrect, correct, exchange=COMMANDS)
    answer = partial(take_questions, publish=lambda messages: service.publisher.publish(messages), clock=clock)
    service.consume_raw("blocklist.address-check", AddressCheck, answer, read_question, exchange=COMMANDS)

    service.publishes(AddressBlocked, "address.blocked.{tenant}")
    service.publishes(AddressUnblocked, "address.unblocked.{tenant}")
    service.publishes(AddressErased, "address.erased.{tenant}")
    service.publishes(AddressCorrected, "address.corrected.{tenant}")
    service.publishes(BlockCleared, "block.cleared.{tenant}")
    service.publishes(BlockApplied, "block.applied.{tenant}")
    service.publishes(SettingsChanged, "settings.changed.{tenant}")
    service.publishes(StormStarted, "storm.started.{tenant}")
    service.publishes(StormEnded, "storm.ended.{tenant}")
    service.publishes(WebhookDisabled, "webhook.disabled.{tenant}")

    async def run_jobs() -> None:
        job_requested.clear()
        if not await work_on_next(service.uow_factory, settings.reassess_chunk, clock()):
            await _wait(job_requested, settings.reassess_interval)

    async def expire() -> None:
        if not await review_due(service.uow_factory, settings.reassess_chunk, clock()):
            await asyncio.sleep(settings.review_interval.total_seconds())

    async def erase_scheduled() -> None:
        if not await erase_due(service.uow_factory, settings.reassess_chunk, clock, remember=remember):
            await asyncio.sleep(settings.review_interval.total_seconds())

    async def notice_storms() -> None:
        await notice(service.uow_factory, watch, clock())
        await asyncio.sleep(settings.storm_interval.total_seconds())

    async def apply_imports() -> None:
        list_received.clear()
        if not await work_off_next(service.uow_factory, clock()):
            await _wait(list_received, settings.import_interval)

    async def post_webhooks() -> None:
        await post_for_all(service.pool, service.uow_factory, webhook_rules, settings, clock)

    service.background("jobs", run_jobs)
    service.background("expiry", expire)
    service.background("scheduled erasures", erase_scheduled)
    service.background("storms", notice_storms)
    service.background("imports", apply_imports)
    service.background("webhooks", post_webhooks)

    service.app.state.clock = clock
    service.app.state.work_requested = job_requested
    service.app.state.list_received = list_received
    service.app.state.prefilters = Prefilters(lambda: service.pool)
    service.app.state.webhook_rules = webhook_rules
    routes = APIRouter(prefix="/v1", tags=["blocklist"])
    for module in ROUTERS:
        routes.include_router(module.router)
    service.routes(routes)
    service.allow_streaming_bodies("/v1/check", "/v1/blocks/imports", "/v1/reconcile", "/v1/reconcile/file")
    return service


async def _wait(event: asyncio.Event, limit: timedelta) -> None:
    """Wait until something was requested here; it does not hear of those of other processes."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), limit.total_seconds())


def main() -> None:
    """Run until told to stop."""
    run(create, Settings, "blocklist")


if __name__ == "__main__":
    main()
