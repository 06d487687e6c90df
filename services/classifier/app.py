"""Classifier: bounce -> verdict with reason, fault and confidence; schedules and issues retry commands."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial

import structlog

from returpost.bounces.rules import RuleRegistry
from returpost.contracts import (
    AddressBlocked,
    AddressErased,
    AddressUnblocked,
    BounceClassified,
    BounceReceived,
    DeliveryRecorded,
    MailingPause,
    MailingResume,
    RetryRequested,
    SettingsChanged,
)
from returpost.contracts.routing import COMMANDS
from services.classifier import handlers
from services.classifier.dispatch import BATCH, dispatch, report_lost, utc_now
from services.classifier.domain.retry import RetryPolicy
from services.classifier.events import SERVICE
from services.classifier.http import classify, retries, retry_admin, retry_settings, verdicts
from services.classifier.repository import dispatch as dispatch_rows, retries as retry_rows, verdicts as verdict_rows
from services.classifier.settings import Settings
from shared.service import Service, run

HOUSEKEEPING_SECONDS = 60
log = structlog.get_logger()


def create(settings: Settings, clock: Callable[[], datetime] = utc_now) -> Service[Settings]:
    """Wire the service."""
    service = Service(SERVICE, settings, description=__doc__ or "")
    rules = RuleRegistry(settings.rules_dir)
    policy = RetryPolicy(
        settings.retry_delays, settings.retry_delays_by_reason, settings.retry_jitter, settings.retry_domain_limit
    )

    classify_bounces = partial(handlers.classify_bounces, rules=rules, policy=policy)
    service.consume("classifier.bounce-received", BounceReceived, classify_bounces)
    service.consume("classifier.delivery-recorded", DeliveryRecorded, handlers.record_deliveries)
    service.consume("classifier.address-blocked", AddressBlocked, handlers.apply_blocks)
    service.consume("classifier.address-unblocked", AddressUnblocked, handlers.apply_blocks)
    service.consume("classifier.address-erased", AddressErased, handlers.erase_addresses)
    service.consume("classifier.mailing-pause", MailingPause, handlers.apply_pauses, exchange=COMMANDS)
    service.consume("classifier.mailing-resume", MailingResume, handlers.apply_pauses, exchange=COMMANDS)
    service.publishes(BounceClassified, "bounce.classified.{tenant}")
    service.publishes(SettingsChanged, "settings.changed.{tenant}")
    service.commands(RetryRequested, "retry.requested.{tenant}.{sender}")

    async def issue_retries() -> None:
        if await dispatch(service.uow_factory, settings.keep, policy, clock) < BATCH:
            await asyncio.sleep(settings.dispatch_interval.total_seconds())

    async def clean_up() -> None:
        await report_lost(service.uow_factory, settings.retry_result_timeout, clock)
        async with service.pool.acquire() as connection:
            for rows in (verdict_rows, retry_rows, dispatch_rows):
                await rows.purge(connection, clock() - settings.keep)
        await asyncio.sleep(HOUSEKEEPING_SECONDS)

    async def reload_rules() -> None:
        if await asyncio.to_thread(rules.refresh):
            log.info("rules reloaded", versions=rules.versions())
        elif rules.fault:
            log.error("rule files not loaded; the previous rules stay", fault=rules.fault)
        await asyncio.sleep(settings.rules_interval.total_seconds())

    service.background("rule files", reload_rules)
    service.background("retry dispatcher", issue_retries)
    service.background("housekeeping", clean_up)
    service.app.state.clock = clock
    service.app.state.rules = rules
    service.app.state.retry_policy = policy
    for room in (verdicts, retries, retry_admin, retry_settings, classify):
        service.routes(room.router)
    return service


def main() -> None:
    """Run until told to stop."""
    run(create, Settings, SERVICE)


if __name__ == "__main__":
    main()
