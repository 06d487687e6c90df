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
    MailingBreached,
    MailingPause,
    MailingResume,
    MailingUpsert,
    OperationFinished,
    OperationProgressed,
    OperationRequested,
    ProjectChanged,
    ProjectUpsert,
    ReportPrepared,
    RetryRequested,
    SecretExpiring,
    SelectionChanged,
    SelectionUpsert,
    SettingsChanged,
    StormEnded,
    StormStarted,
    SuppressionLift,
    SuppressionSet,
    TokenRevoked,
)
from returpost.contracts.routing import COMMANDS
from services.actions.contacts import http as contacts_http
from services.actions.contacts.addresses import http as addresses_http
from services.actions.contacts.handlers import upsert_contacts
from services.actions.contacts.lists import http as lists_http
from services.actions.contacts.lists.handlers import upsert_lists
from services.actions.mailings import http as mailings_http
from services.actions.mailings.handlers import (
    erase_addresses,
    record_blocks,
    record_results,
    record_verdicts,
    upsert_mailings,
)
from services.actions.mailings.retention import remove_old_recipients
from services.actions.mailings.stop_signals.evaluation import evaluate_next, record_storms, utc_now
from services.actions.mailings.stop_signals.http import mailings as stop_signals_http, settings as stop_settings_http
from services.actions.operations import http as operations_http
from services.actions.operations.engine import Engine
from services.actions.operations.exports import http as exports_http
from services.actions.operations.exports.worker import write_next_file
from services.actions.operations.handlers import request_operations, settle_applied, settle_cleared
from services.actions.operations.retention import remove_expired
from services.actions.settings import Settings
from services.actions.statistics import http as statistics_http
from services.actions.statistics.aggregator import aggregate_next
from services.actions.statistics.weekly_report import PREPARE_SECONDS, publish_reports
from services.actions.users import http as users_http, oidc_http
from services.actions.users.attempts import Hashing
from services.actions.users.expiring import WARN_SECONDS, warn_of_expiring
from services.actions.users.http import MAX_SIGN_IN
from services.actions.users.oidc import Provider
from services.actions.users.second_factor import http as factor_http
from services.actions.users.token_revocation import REPUBLISH_SECONDS, republish_revocations
from services.actions.views import http as views_http
from services.actions.views.saved import http as saved_views_http
from shared.http.max_body import BodyLimit
from shared.service import Service, run

RETENTION_SECONDS = 60
MAX_BLOCKS_AT_ONCE = 500
"""Blocks and lifts in one batch, which is one message when they come by the million: requests wait for less."""
EXPORT_WORKERS = 2
"""Files that a process writes at once: a small one does not wait for a large one."""


def create(settings: Settings) -> Service[Settings]:
    """Wire the service."""
    service = Service("actions", settings, description=__doc__ or "")
    consume, publishes, commands = service.consume, service.publishes, service.commands

    request = partial(request_operations, tolerance=settings.clock_tolerance, grace=settings.delete_grace)
    consume("actions.delivery-recorded", DeliveryRecorded, record_results)
    consume("actions.bounce-classified", BounceClassified, record_verdicts)
    consume("actions.address-blocked", AddressBlocked, record_blocks, max_batch_events=MAX_BLOCKS_AT_ONCE)
    consume("actions.address-unblocked", AddressUnblocked, record_blocks, max_batch_events=MAX_BLOCKS_AT_ONCE)
    consume("actions.address-erased", AddressErased, erase_addresses)
    consume("actions.block-cleared", BlockCleared, settle_cleared)
    consume("actions.block-applied", BlockApplied, settle_applied)
    consume("actions.storm-started", StormStarted, record_storms)
    consume("actions.storm-ended", StormEnded, record_storms)
    consume("actions.contact-upsert", ContactUpsert, upsert_contacts, exchange=COMMANDS)
    consume("actions.selection-upsert", SelectionUpsert, upsert_lists, exchange=COMMANDS)
    consume("actions.project-upsert", ProjectUpsert, upsert_lists, exchange=COMMANDS)
    consume("actions.mailing-upsert", MailingUpsert, upsert_mailings, exchange=COMMANDS)
    consume("actions.operation-requested", OperationRequested, request, exchange=COMMANDS)

    publishes(ContactChanged, "contact.changed.{tenant}")
    publishes(SelectionChanged, "selection.changed.{tenant}")
    publishes(ProjectChanged, "project.changed.{tenant}")
    publishes(OperationProgressed, "operation.progressed.{tenant}")
    publishes(OperationFinished, "operation.finished.{tenant}")
    publishes(TokenRevoked, "token.revoked.{tenant}")
    publishes(SecretExpiring, "secret.expiring.{tenant}")
    publishes(MailingBreached, "mailing.breached.{tenant}")
    publishes(SettingsChanged, "settings.changed.{tenant}")
    commands(MailingPause, "mailing.pause.{tenant}.{sender}")
    commands(MailingResume, "mailing.resume.{tenant}.{sender}")
    publishes(ReportPrepared, "report.prepared.{tenant}")
    commands(BlockClear, "block.clear.{tenant}")
    commands(BlockSet, "block.set.{tenant}")
    commands(BlockUndo, "block.undo.{tenant}")
    commands(SuppressionSet, "suppression.set.{tenant}")
    commands(SuppressionLift, "suppression.lift.{tenant}")
    commands(RetryRequested, "retry.requested.{tenant}.{sender}")
    commands(AddressErase, "address.erase.{tenant}")

    service.allow_anonymous("/v1/sign-in")
    service.limit_bodies(BodyLimit(MAX_SIGN_IN, 100), "/v1/sign-in")
    for router in (
        operations_http.router, operations_http.audit_router, exports_http.router,
        users_http.router, oidc_http.router, factor_http.router,
        contacts_http.router, addresses_http.router, mailings_http.router, views_http.router, statistics_http.router,
        saved_views_http.router, stop_signals_http.router, stop_settings_http.router,
        *(lists_http.router_of(kind) for kind in ListKind),
    ):  # fmt: skip
        service.routes(router)

    engine = Engine(settings.resend_after, settings.operations_idle.total_seconds())
    oidc = (settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret)
    state = service.app.state
    state.engine, state.hashing = engine, Hashing()
    state.ingest = httpx.AsyncClient(base_url=settings.ingest_url, trust_env=False)
    state.provider = Provider(*oidc) if settings.oidc_issuer else None

    async def operations() -> None:
        await engine.round(service.pool, service.uow_factory)

    async def statistics() -> None:
        await asyncio.sleep(await aggregate_next(service.pool, settings.statistics_pause.total_seconds()))

    async def stop_signals() -> None:
        idle = settings.statistics_pause.total_seconds()
        settle = settings.stop_signal_settle
        await asyncio.sleep(await evaluate_next(service.pool, service.uow_factory, utc_now(), settle, idle))

    async def weekly_reports() -> None:
        await publish_reports(service.pool, service.uow_factory, datetime.now(UTC))
        await asyncio.sleep(PREPARE_SECONDS)

    async def revocations() -> None:
        await republish_revocations(service.uow_factory)
        await asyncio.sleep(REPUBLISH_SECONDS)

    ending = {"tokens": 0}

    async def tokens_ending() -> int:
        return ending["tokens"]

    service.add_health_check("tokens_ending", tokens_ending)

    async def expiring_tokens() -> None:
        ending["tokens"] = await warn_of_expiring(service.uow_factory, datetime.now(UTC))
        await asyncio.sleep(WARN_SECONDS)

    async def exports() -> None:
        silence = settings.export_silence
        if not await write_next_file(service.pool, service.uow_factory, settings.database_url, silence):
            await asyncio.sleep(settings.operations_idle.total_seconds())

    async def retention() -> None:
        kept = (settings.previews_kept, settings.operations_kept, settings.exports_kept)
        if not await remove_expired(service.uow_factory, datetime.now(UTC), *kept):
            await asyncio.sleep(RETENTION_SECONDS)

    async def recipients_retention() -> None:
        if not await remove_old_recipients(service.pool, datetime.now(UTC), settings.recipients_kept):
            await asyncio.sleep(RETENTION_SECONDS)

    service.background("operations", operations)
    service.background("statistics", statistics)
    service.background("stop signals", stop_signals)
    service.background("weekly reports", weekly_reports)
    service.background("token revocations", revocations)
    service.background("expiring tokens", expiring_tokens)
    for number in range(1, EXPORT_WORKERS + 1):
        service.background(f"exports {number}", exports)
    service.background("retention of operations", retention)
    service.background("retention of recipients", recipients_retention)
    return service


def main() -> None:
    """Run until stopped."""
    run(create, Settings, "actions")


if __name__ == "__main__":
    main()
