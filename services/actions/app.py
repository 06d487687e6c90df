"""Actions: contacts, mailings with their recipients; bulk operations over them."""

import asyncio
from datetime import UTC, datetime
from functools import partial

from services.actions import api
from services.actions.contacts import take_contacts
from services.actions.intake import take_blocks, take_erasures, take_results, take_verdicts
from services.actions.operations import resend, take_cleared, take_requests
from services.actions.settings import Settings
from shared.contracts import (
    AddressBlocked,
    AddressErased,
    AddressUnblocked,
    BlockClear,
    BlockCleared,
    BounceClassified,
    ContactChanged,
    ContactUpserted,
    DeliveryRecorded,
    OperationFinished,
    OperationProgressed,
    OperationRequested,
)
from shared.service import Service, run
from shared.topology import COMMANDS


def create(settings: Settings) -> Service[Settings]:
    """Wire the service."""
    service = Service("actions", settings, description=__doc__ or "")

    take_timely = partial(take_requests, tolerance=settings.clock_tolerance)

    service.consume("actions.delivery-recorded", DeliveryRecorded, take_results)
    service.consume("actions.bounce-classified", BounceClassified, take_verdicts)
    service.consume("actions.address-blocked", AddressBlocked, take_blocks)
    service.consume("actions.address-unblocked", AddressUnblocked, take_blocks)
    service.consume("actions.address-erased", AddressErased, take_erasures)
    service.consume("actions.block-cleared", BlockCleared, take_cleared)
    service.consume("actions.contact-upserted", ContactUpserted, take_contacts, exchange=COMMANDS)
    service.consume("actions.operation-requested", OperationRequested, take_timely, exchange=COMMANDS)
    service.publishes(ContactChanged, "contact.changed.{tenant}")
    service.publishes(OperationProgressed, "operation.progressed.{tenant}")
    service.publishes(OperationFinished, "operation.finished.{tenant}")
    service.commands(OperationRequested, "operation.requested.{tenant}")
    service.commands(BlockClear, "block.clear.{tenant}")

    async def resender() -> None:
        async with service.effects.begin() as work:
            await resend(work, datetime.now(UTC) - settings.resend_after)
        await asyncio.sleep(settings.resend_after.total_seconds() / 4)

    service.background("stalled operations", resender)
    service.routes(api.router)
    return service


def main() -> None:
    """Run until told to stop."""
    run(create, Settings, "actions")


if __name__ == "__main__":
    main()
