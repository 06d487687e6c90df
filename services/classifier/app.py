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
    RetryRequested,
    SettingsChanged,
)
from services.classifier import api, classify_api, retry_api, store
from services.classifier.bounces import take_blocks, take_bounces, take_deliveries, take_erasures
from services.classifier.dispatch import BATCH, dispatch, now, report_lost
from services.classifier.retry import Policy
from services.classifier.settings import Settings
from shared.service import Service, run

HOUSEKEEPING_SECONDS = 60
log = structlog.get_logger()


def create(settings: Settings, clock: Callable[[], datetime] = now) -> Service[Settings]:
    """Wire the service."""
    service = Service("classifier", settings, description=__doc__ or "")
    rules = RuleRegistry(settings.rules_dir)
    policy = Policy(
        settings.retry_delays, settings.retry_delays_by_reason, settings.retry_jitter, settings.retry_domain_limit
    )

    service.consume("classifier.bounce-received", BounceReceived, partial(take_bounces, rules=rules, policy=policy))
    service.consume("classifier.delivery-recorded", DeliveryRecorded, take_deliveries)
    service.consume("classifier.address-blocked", AddressBlocked, take_blocks)
    service.consume("classifier.address-unblocked", AddressUnblocked, take_blocks)
    service.consume("classifier.address-erased", AddressErased, take_erasures)
    service.publishes(BounceClassified, "bounce.classified.{tenant}")
    service.publishes(SettingsChanged, "settings.changed.{tenant}")
    service.commands(RetryRequested, "retry.requested.{tenant}.{sender}")

    async def dispatcher() -> None:
        if await dispatch(service.uow_factory, settings.keep, policy, clock) < BATCH:
            await asyncio.sleep(settings.dispatch_interval.total_seconds())

    async def housekeeper() -> None:
        await report_lost(service.uow_factory, settings.retry_answer, clock)
        async with service.pool.acquire() as connection:
            await store.purge(connection, clock() - settings.keep)
        await asyncio.sleep(HOUSEKEEPING_SECONDS)

    async def reader() -> None:
        if await asyncio.to_thread(rules.refresh):
            log.info("other rules are in force", versions=rules.versions())
        elif rules.fault:
            log.error("the rule files cannot be used; the rules before stay in force", fault=rules.fault)
        await asyncio.sleep(settings.rules_interval.total_seconds())

    service.background("rule files", reader)
    service.background("retry dispatcher", dispatcher)
    service.background("housekeeping", housekeeper)
    service.app.state.clock = clock
    service.app.state.rules = rules
    service.app.state.retry_policy = policy
    service.routes(api.router)
    service.routes(retry_api.router)
    service.routes(classify_api.router)
    return service


def main() -> None:
    """Run until told to stop."""
    run(create, Settings, "classifier")


if __name__ == "__main__":
    main()
