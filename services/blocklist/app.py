"""Blocklist: verdicts -> return counts and blocks; the check before a mailing; the tenants' settings."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from returpost.contracts import (
    AddressBlocked,
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
)
from returpost.contracts.routing import COMMANDS
from services.blocklist import api, lists_and_checks
from services.blocklist.background import work_on_next
from services.blocklist.commands import take_clears, take_erasures, take_sets
from services.blocklist.intake import take_results, take_verdicts
from services.blocklist.outbound import wiring as webhooks
from services.blocklist.reviews import review_due
from services.blocklist.settings import Settings
from services.blocklist.storm_store import notice
from services.blocklist.storm_watch import Watch
from services.blocklist.storms import Limits
from services.blocklist.undo import take_undos
from services.blocklist.waiting import erase_due
from shared.service import Service, run


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def create(settings: Settings, clock: Callable[[], datetime] = utc_now) -> Service[Settings]:
    """Wire the service."""
    service = Service("blocklist", settings, description=__doc__ or "")
    tolerance = settings.clock_tolerance
    watch = Watch(Limits(bounces=settings.storm_bounces, share=settings.storm_share), clock)

    service.consume("blocklist.delivery-recorded", DeliveryRecorded, partial(take_results, clock=clock, watch=watch))
    service.consume("blocklist.bounce-classified", BounceClassified, partial(take_verdicts, clock=clock, watch=watch))
    sets, clears = (partial(take, clock=clock, tolerance=tolerance) for take in (take_sets, take_clears))
    service.consume("blocklist.block-set", BlockSet, sets, exchange=COMMANDS)
    service.consume("blocklist.block-clear", BlockClear, clears, exchange=COMMANDS)
    erase = partial(take_erasures, clock=clock, remember=settings.remember_erased)
    service.consume("blocklist.address-erase", AddressErase, erase, exchange=COMMANDS)
    service.consume("blocklist.block-undo", BlockUndo, partial(take_undos, clock=clock), exchange=COMMANDS)
    service.publishes(AddressBlocked, "address.blocked.{tenant}")
    service.publishes(AddressUnblocked, "address.unblocked.{tenant}")
    service.publishes(AddressErased, "address.erased.{tenant}")
    service.publishes(BlockCleared, "block.cleared.{tenant}")
    service.publishes(BlockApplied, "block.applied.{tenant}")
    service.publishes(SettingsChanged, "settings.changed.{tenant}")
    service.publishes(StormStarted, "storm.started.{tenant}")
    service.publishes(StormEnded, "storm.ended.{tenant}")

    work_requested = asyncio.Event()

    async def operations() -> None:
        work_requested.clear()
        if not await work_on_next(service.uow_factory, settings.reassess_chunk, clock()):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(work_requested.wait(), settings.reassess_interval.total_seconds())

    async def reviews() -> None:
        if not await review_due(service.uow_factory, settings.reassess_chunk, clock()):
            await asyncio.sleep(settings.review_interval.total_seconds())

    async def erasures() -> None:
        if not await erase_due(service.uow_factory, settings.reassess_chunk, clock, remember=settings.remember_erased):
            await asyncio.sleep(settings.review_interval.total_seconds())

    async def storms() -> None:
        await notice(service.uow_factory, watch, clock())
        await asyncio.sleep(settings.storm_interval.total_seconds())

    service.background("operations", operations)
    service.background("reviews", reviews)
    service.background("erasures", erasures)
    service.background("storms", storms)
    service.app.state.clock = clock
    service.app.state.work_requested = work_requested
    lists_and_checks.wire(service, clock)
    webhooks.wire(service, clock)
    service.routes(api.router)
    return service


def main() -> None:
    """Run until told to stop."""
    run(create, Settings, "blocklist")


if __name__ == "__main__":
    main()
