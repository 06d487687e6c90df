"""Ingest: every way a delivery result can arrive -> one normalised event."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from returpost.bounces.events.results import check_time, events_of
from returpost.contracts import (
    AddressErased,
    AddressValidate,
    AddressValidated,
    BounceReceived,
    DeliveryRecorded,
    DeliveryResult,
    ProviderPayloadProcess,
    RawMessageStore,
)
from returpost.contracts.cloudevents import Event
from returpost.contracts.routing import COMMANDS
from returpost.errors import InvalidMessage
from returpost.validation.domains import Domains
from returpost.validation.lists import load
from returpost.validation.validator import Validator
from services.ingest import api, webhook_api
from services.ingest.mailroom import Mailroom
from services.ingest.provider_events import KumoLog, give_way, read_log, take_later, take_logs
from services.ingest.raw_reports import api as raw_reports_api
from services.ingest.raw_reports.intake import purge, take_erasures, take_reports
from services.ingest.raw_reports.store import Store
from services.ingest.settings import Settings
from services.ingest.validation import api as validation_api
from services.ingest.validation.answers import answer
from services.ingest.ways.running import install as install_ways
from shared.database import residual_search
from shared.messaging.unit_of_work import UnitOfWork
from shared.service import Service, run

PUT_OFF_TOGETHER = 50
"""Requests that were put off and are read together: what comes of more would hold up the answers to others."""

KEPT_TOGETHER = 100
"""Originals, for the same reason."""


def create(settings: Settings) -> Service[Settings]:
    """Wire the service."""
    service = Service("ingest", settings, description=__doc__ or "", stateless=True)

    async def take_results(events: Sequence[Event[DeliveryResult]], work: UnitOfWork) -> None:
        now = datetime.now(UTC)
        for event in events:
            try:
                check_time(event.data.time, now, settings.clock_tolerance)
            except InvalidMessage as error:
                work.refuse(event, str(error))
                continue
            for follower in events_of(event):
                work.emit(follower, event.data.result if isinstance(follower.data, DeliveryRecorded) else None)

    servers = [server.strip() for server in settings.dns_servers.split(",") if server.strip()]
    validator = Validator(Domains(servers, settings.dns_port), load(settings.lists_dir))
    take_questions = partial(answer, validator=validator)
    app = service.app
    app.state.validator = validator
    app.state.return_paths = settings.return_paths()
    app.state.mailroom = Mailroom(service, keeps=settings.keeps_raw_reports)
    app.state.raw_reports = _keep_raw_reports(service) if settings.keeps_raw_reports else None

    service.consume("ingest.delivery-result", DeliveryResult, take_results, exchange=COMMANDS)
    service.consume("ingest.address-validate", AddressValidate, take_questions, exchange=COMMANDS)
    service.consume_raw("ingest.kumomta-log", KumoLog, partial(take_logs, service=service), read_log, exchange=COMMANDS)
    service.consume(
        "ingest.provider-payload-process",
        ProviderPayloadProcess,
        partial(take_later, service=service),
        exchange=COMMANDS,
        max_batch_events=PUT_OFF_TOGETHER,
    )
    service.publishes(DeliveryRecorded, "delivery.recorded.{tenant}.{result}")
    service.publishes(BounceReceived, "bounce.received.{tenant}")
    service.publishes(AddressValidated, "address.validated.{tenant}")
    service.commands(ProviderPayloadProcess, "provider-payload.process.{tenant}")
    service.commands(RawMessageStore, "raw-message.store.{tenant}")
    install_ways(service, app.state.mailroom)
    app.add_middleware(webhook_api.Straight)
    service.allow_anonymous("/webhooks/")
    service.routes(webhook_api.router)
    service.routes(api.router)
    service.routes(raw_reports_api.router)
    service.routes(validation_api.router)
    if kept := app.state.raw_reports:
        service.routes(residual_search.routes(kept.pool))
    return service


def _keep_raw_reports(service: Service[Settings]) -> Store:
    """Keep what arrives as it arrived, in a database that everything else can do without."""
    settings = service.settings
    store = Store(settings.database_url, settings.database_pool)
    purging = partial(purge, store, keep=settings.raw_reports_keep, most=settings.raw_reports_max_bytes)
    forget = partial(take_erasures, kept_in=store)

    async def take(events: Sequence[Event[RawMessageStore]], work: UnitOfWork) -> None:
        await take_reports(events, work, kept_in=store)
        await give_way(service)

    service.consume(
        "ingest.raw-message-store",
        RawMessageStore,
        take,
        exchange=COMMANDS,
        required_for_readiness=False,
        max_batch_events=KEPT_TOGETHER,
    )
    service.consume("ingest.address-erased", AddressErased, forget, required_for_readiness=False)
    service.background("purge of raw reports", purging)
    service.add_health_check("raw_reports", store.state)
    return store


def main() -> None:
    """Run until told to stop."""
    run(create, Settings, "ingest")


if __name__ == "__main__":
    main()
