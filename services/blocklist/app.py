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
    DomainBlocked,
    DomainUnblocked,
    ImportFinished,
    SecretExpiring,
    SettingsChanged,
    StormEnded,
    StormStarted,
    SubscriptionConfirmed,
    SuppressionLift,
    SuppressionSet,
    WebhookDisabled,
)
from returpost.contracts.routing import COMMANDS
from services.blocklist.address_state.expiry import expire_due
from services.blocklist.address_state.handlers.command_undo import handle_undo
from services.blocklist.address_state.handlers.commands import handle_block_clear, handle_block_set
from services.blocklist.address_state.handlers.corrections import handle_corrections
from services.blocklist.address_state.handlers.erasures import handle_erase
from services.blocklist.address_state.handlers.results import handle_results, handle_verdicts
from services.blocklist.address_state.handlers.suppressions import (
    handle_subscriptions,
    handle_suppression_lift,
    handle_suppression_set,
)
from services.blocklist.address_state.http import addresses, blocks, commands, corrections, erasures, suppressions
from services.blocklist.address_state.scheduled_erasures import erase_due
from services.blocklist.checks.bloom_filter import BloomFilters
from services.blocklist.checks.check_rpc import answer_checks, read_check
from services.blocklist.checks.domains import http as domains
from services.blocklist.checks.domains.handlers import expire_domains
from services.blocklist.checks.domains.memory import KnownDomainBlocks
from services.blocklist.checks.feed import http as feed
from services.blocklist.checks.feed.reader import FeedReader
from services.blocklist.checks.http import check, snapshot
from services.blocklist.jobs import http as jobs
from services.blocklist.jobs.job_worker import run_next_job
from services.blocklist.outbound_webhooks.expiring import WARN_SECONDS, warn_of_expiring
from services.blocklist.outbound_webhooks.http import deliveries, trace as webhook_trace, webhooks
from services.blocklist.outbound_webhooks.leases import post_for_all
from services.blocklist.settings import Settings
from services.blocklist.storms import http as storms
from services.blocklist.storms.detection import detect_storms
from services.blocklist.storms.domain import Limits
from services.blocklist.storms.storm_window import StormWindow
from services.blocklist.suppression_files.http import export, imports, reconciliation
from services.blocklist.suppression_files.worker import apply_next_part
from services.blocklist.tenant_settings import http as tenant_settings
from shared.outbound.ssrf_guard import AllowedDestinations
from shared.service import Service, run

ROUTERS = (
    *(check, snapshot, feed, imports, export, corrections, erasures, reconciliation, blocks, commands),
    *(suppressions, domains, addresses, tenant_settings, jobs, storms, deliveries, webhook_trace, webhooks),
)
"""In this order: a path of letters before one that takes any."""


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def create(settings: Settings, clock: Callable[[], datetime] = utc_now) -> Service[Settings]:
    """Wire the service."""
    service = Service("blocklist", settings, description=__doc__ or "")
    tolerance, remember = settings.clock_tolerance, settings.remember_erased
    storm_window = StormWindow(Limits(bounces=settings.storm_bounces, share=settings.storm_share), clock)
    webhook_destinations = AllowedDestinations(settings.webhook_networks, settings.webhook_plain_http)
    job_requested, list_received = asyncio.Event(), asyncio.Event()

    results, verdicts = (
        partial(handle, clock=clock, storm_window=storm_window) for handle in (handle_results, handle_verdicts)
    )
    sets, clears = (
        partial(handle, clock=clock, tolerance=tolerance) for handle in (handle_block_set, handle_block_clear)
    )
    suppress = partial(handle_suppression_set, clock=clock, tolerance=tolerance)
    lift = partial(handle_suppression_lift, clock=clock, tolerance=tolerance)
    subscribe = partial(handle_subscriptions, clock=clock, tolerance=tolerance)
    erase = partial(handle_erase, clock=clock, remember=remember)
    domain_blocks = KnownDomainBlocks()
    answer = partial(
        answer_checks,
        publish=lambda messages: service.publisher.publish(messages),
        clock=clock,
        domain_blocks=domain_blocks,
    )
    service.consume("blocklist.delivery-recorded", DeliveryRecorded, results)
    service.consume("blocklist.bounce-classified", BounceClassified, verdicts)
    service.consume("blocklist.block-set", BlockSet, sets, exchange=COMMANDS)
    service.consume("blocklist.block-clear", BlockClear, clears, exchange=COMMANDS)
    service.consume("blocklist.suppression-set", SuppressionSet, suppress, exchange=COMMANDS)
    service.consume("blocklist.suppression-lift", SuppressionLift, lift, exchange=COMMANDS)
    service.consume("blocklist.subscription-confirmed", SubscriptionConfirmed, subscribe, exchange=COMMANDS)
    service.consume("blocklist.block-undo", BlockUndo, partial(handle_undo, clock=clock), exchange=COMMANDS)
    service.consume("blocklist.address-erase", AddressErase, erase, exchange=COMMANDS)
    correct = partial(handle_corrections, clock=clock)
    service.consume("blocklist.address-correct", AddressCorrect, correct, exchange=COMMANDS)
    service.consume_raw("blocklist.address-check", AddressCheck, answer, read_check, exchange=COMMANDS)

    service.publishes(AddressBlocked, "address.blocked.{tenant}")
    service.publishes(AddressUnblocked, "address.unblocked.{tenant}")
    service.publishes(AddressErased, "address.erased.{tenant}")
    service.publishes(AddressCorrected, "address.corrected.{tenant}")
    service.publishes(DomainBlocked, "domain.blocked.{tenant}")
    service.publishes(DomainUnblocked, "domain.unblocked.{tenant}")
    service.publishes(BlockCleared, "block.cleared.{tenant}")
    service.publishes(BlockApplied, "block.applied.{tenant}")
    service.publishes(SettingsChanged, "settings.changed.{tenant}")
    service.publishes(StormStarted, "storm.started.{tenant}")
    service.publishes(StormEnded, "storm.ended.{tenant}")
    service.publishes(WebhookDisabled, "webhook.disabled.{tenant}")
    service.publishes(SecretExpiring, "secret.expiring.{tenant}")
    service.publishes(ImportFinished, "import.finished.{tenant}")

    async def run_jobs() -> None:
        job_requested.clear()
        if not await run_next_job(service.uow_factory, settings.job_chunk, clock()):
            await _wait(job_requested, settings.job_interval)

    async def expire() -> None:
        due = await expire_due(service.uow_factory, settings.job_chunk, clock())
        if not await expire_domains(service.uow_factory, settings.job_chunk, clock()) and not due:
            await asyncio.sleep(settings.expiry_interval.total_seconds())

    async def erase_scheduled() -> None:
        if not await erase_due(service.uow_factory, settings.job_chunk, clock, remember=remember):
            await asyncio.sleep(settings.expiry_interval.total_seconds())

    async def watch_storms() -> None:
        await detect_storms(service.uow_factory, storm_window, clock())
        await asyncio.sleep(settings.storm_interval.total_seconds())

    async def apply_imports() -> None:
        list_received.clear()
        if not await apply_next_part(service.uow_factory, clock()):
            await _wait(list_received, settings.import_interval)

    async def post_webhooks() -> None:
        await post_for_all(service.pool, service.uow_factory, webhook_destinations, settings, clock)

    async def expiring_secrets() -> None:
        await warn_of_expiring(service.uow_factory, clock())
        await asyncio.sleep(WARN_SECONDS)

    service.background("jobs", run_jobs)
    service.background("expiry", expire)
    service.background("scheduled erasures", erase_scheduled)
    service.background("storms", watch_storms)
    service.background("imports", apply_imports)
    service.background("webhooks", post_webhooks)
    service.background("expiring secrets", expiring_secrets)

    state = service.app.state
    state.clock, state.job_requested, state.list_received = clock, job_requested, list_received
    state.bloom_filters, state.domain_blocks = BloomFilters(lambda: service.pool), domain_blocks
    state.feed = FeedReader(lambda: service.pool)
    state.webhook_destinations = webhook_destinations
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
