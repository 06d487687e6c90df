"""Actions: contacts, mailings with their recipients; bulk operations over them."""

import asyncio
from datetime import UTC, datetime
from functools import partial

import httpx

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
    ContactChanged,
    ContactUpsert,
    DeliveryRecorded,
    ListKind,
    MailingUpsert,
    OperationFinished,
    OperationProgressed,
    OperationRequested,
    ProjectChanged,
    ProjectUpsert,
    RetryRequested,
    SelectionChanged,
    SelectionUpsert,
    TokenRevoked,
)
from returpost.contracts.routing import COMMANDS
from services.actions import api, contacts_api, mailings_api, oidc, oidc_api, users_api, views_api
from services.actions.contacts import take_contacts
from services.actions.exports import api as exports_api
from services.actions.exports.maker import make_next
from services.actions.intake import take_blocks, take_erasures, take_results, take_verdicts
from services.actions.lists import take_lists
from services.actions.lists_api import router_of
from services.actions.mailings import take_mailings
from services.actions.operations import api as operations_api
from services.actions.operations.answers import take_applied, take_cleared
from services.actions.operations.ending import remove_old
from services.actions.operations.engine import Engine
from services.actions.operations.requests import take_requests
from services.actions.revoking import SAY_AGAIN_SECONDS, say_again
from services.actions.settings import Settings
from services.actions.statistics import api as statistics_api
from services.actions.statistics.counting import count_next
from shared.service import Service, run

REMOVAL_SECONDS = 60
BLOCKS_AT_ONCE = 500
"""Blocks and lifts in one batch, which is one message when they come by the million: whoever asks something meanwhile
waits for less."""
EXPORTS_AT_ONCE = 2
"""Files a process has made at once: a small one does not wait for a large one."""


def create(settings: Settings) -> Service[Settings]:
    """Wire the service."""
    service = Service("actions", settings, description=__doc__ or "")

    take_timely = partial(take_requests, tolerance=settings.clock_tolerance, grace=settings.delete_grace)

    service.consume("actions.delivery-recorded", DeliveryRecorded, take_results)
    service.consume("actions.bounce-classified", BounceClassified, take_verdicts)
    service.consume("actions.address-blocked", AddressBlocked, take_blocks, max_batch_events=BLOCKS_AT_ONCE)
    service.consume("actions.address-unblocked", AddressUnblocked, take_blocks, max_batch_events=BLOCKS_AT_ONCE)
    service.consume("actions.address-erased", AddressErased, take_erasures)
    service.consume("actions.block-cleared", BlockCleared, take_cleared)
    service.consume("actions.block-applied", BlockApplied, take_applied)
    service.consume("actions.contact-upsert", ContactUpsert, take_contacts, exchange=COMMANDS)
    service.consume("actions.selection-upsert", SelectionUpsert, take_lists, exchange=COMMANDS)
    service.consume("actions.project-upsert", ProjectUpsert, take_lists, exchange=COMMANDS)
    service.consume("actions.mailing-upsert", MailingUpsert, take_mailings, exchange=COMMANDS)
    service.consume("actions.operation-requested", OperationRequested, take_timely, exchange=COMMANDS)
    service.publishes(ContactChanged, "contact.changed.{tenant}")
    service.publishes(SelectionChanged, "selection.changed.{tenant}")
    service.publishes(ProjectChanged, "project.changed.{tenant}")
    service.publishes(OperationProgressed, "operation.progressed.{tenant}")
    service.publishes(OperationFinished, "operation.finished.{tenant}")
    service.publishes(TokenRevoked, "token.revoked.{tenant}")
    service.commands(BlockClear, "block.clear.{tenant}")
    service.commands(BlockSet, "block.set.{tenant}")
    service.commands(BlockUndo, "block.undo.{tenant}")
    service.commands(RetryRequested, "retry.requested.{tenant}.{sender}")
    service.commands(AddressErase, "address.erase.{tenant}")

    engine = Engine(settings.resend_after, settings.operations_idle.total_seconds())

    async def turns() -> None:
        await engine.round(service.pool, service.uow_factory)

    async def removal() -> None:
        kept = (settings.previews_kept, settings.operations_kept, settings.exports_kept)
        if not await remove_old(service.uow_factory, datetime.now(UTC), *kept):
            await asyncio.sleep(REMOVAL_SECONDS)

    async def exports() -> None:
        if not await make_next(service.pool, service.uow_factory, settings.database_url, settings.export_patience):
            await asyncio.sleep(settings.operations_idle.total_seconds())

    async def revocations() -> None:
        await say_again(service.uow_factory)
        await asyncio.sleep(SAY_AGAIN_SECONDS)

    async def counting() -> None:
        pause = settings.statistics_pause.total_seconds()
        await asyncio.sleep(await count_next(service.pool, pause))

    service.background("operations", turns)
    service.background("statistics", counting)
    service.background("what is revoked, said again", revocations)
    for number in range(1, EXPORTS_AT_ONCE + 1):
        service.background(f"exports {number}", exports)
    service.background("removal of old operations", removal)
    service.app.state.engine = engine
    service.app.state.ingest = httpx.AsyncClient(base_url=settings.ingest_url, trust_env=False)
    given = (settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret)
    service.app.state.provider = oidc.Provider(*given) if settings.oidc_issuer else None
    service.routes(operations_api.router)
    service.routes(exports_api.router)
    service.routes(api.router)
    service.allow_anonymous("/v1/sign-in")
    service.routes(users_api.router)
    service.routes(oidc_api.router)
    service.routes(contacts_api.router)
    service.routes(mailings_api.router)
    service.routes(views_api.router)
    service.routes(statistics_api.router)
    for kind in ListKind:
        service.routes(router_of(kind))
    return service


def main() -> None:
    """Run until told to stop."""
    run(create, Settings, "actions")


if __name__ == "__main__":
    main()
