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
from services.ingest.mail_sources import http as mail_http
from services.ingest.mail_sources.ingestion import MailIngestion
from services.ingest.mail_sources.setup import install as install_ways
from services.ingest.raw_messages import http as raw_messages_http
from services.ingest.raw_messages.handlers import handle_erasures, handle_store_commands, purge
from services.ingest.raw_messages.repository import RawMessageRepository
from services.ingest.results import http as results_http
from services.ingest.settings import Settings
from services.ingest.validation import http as validation_http
from services.ingest.validation.handlers import handle_validate
from services.ingest.webhooks import http as webhooks_http
from services.ingest.webhooks.ingestion import (
    KumoLog,
    handle_deferred,
    handle_kumomta_logs,
    read_log,
    yield_to_requests,
)
from shared.http import residual_searches
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
    take_questions = partial(handle_validate, validator=validator)
    app = service.app
    app.state.validator = validator
    app.state.return_paths = settings.return_paths()
    app.state.mail_ingestion = MailIngestion(service, keeps=settings.keeps_raw_messages)
    app.state.raw_messages = _keep_raw_messages(service) if settings.keeps_raw_messages else None

    service.consume("ingest.delivery-result", DeliveryResult, take_results, exchange=COMMANDS)
    service.consume("ingest.address-validate", AddressValidate, take_questions, exchange=COMMANDS)
    service.consume_raw(
        "ingest.kumomta-log", KumoLog, partial(handle_kumomta_logs, service=service), read_log, exchange=COMMANDS
    )
    service.consume(
        "ingest.provider-payload-process",
        ProviderPayloadProcess,
        partial(handle_deferred, service=service),
        exchange=COMMANDS,
        max_batch_events=PUT_OFF_TOGETHER,
    )
    service.publishes(DeliveryRecorded, "delivery.recorded.{tenant}.{result}")
    service.publishes(BounceReceived, "bounce.received.{tenant}")
    service.publishes(AddressValidated, "address.validated.{tenant}")
    service.commands(ProviderPayloadProcess, "provider-payload.process.{tenant}")
    service.commands(RawMessageStore, "raw-message.store.{tenant}")
    install_ways(service, app.state.mail_ingestion)
    app.add_middleware(webhooks_http.FastPathMiddleware)
    service.allow_anonymous("/webhooks/")
    service.routes(webhooks_http.router)
    service.routes(results_http.router)
    service.routes(mail_http.router)
    service.routes(raw_messages_http.router)
    service.routes(validation_http.router)
    if kept := app.state.raw_messages:
        service.routes(residual_searches.routes(kept.pool))
    return service


def _keep_raw_messages(service: Service[Settings]) -> RawMessageRepository:
    """Keep what arrives as it arrived, in a database that everything else can do without."""
    settings = service.settings
    store = RawMessageRepository(settings.database_url, settings.database_pool)
    purging = partial(purge, store, keep=settings.raw_messages_keep, most=settings.raw_messages_max_bytes)
    forget = partial(handle_erasures, repository=store)

    async def take(events: Sequence[Event[RawMessageStore]], work: UnitOfWork) -> None:
        await handle_store_commands(events, work, repository=store)
        await yield_to_requests(service)

    service.consume(
        "ingest.raw-message-store",
        RawMessageStore,
        take,
        exchange=COMMANDS,
        required_for_readiness=False,
        max_batch_events=KEPT_TOGETHER,
    )
    service.consume("ingest.address-erased", AddressErased, forget, required_for_readiness=False)
    service.background("purge of raw messages", purging)
    service.add_health_check("raw_messages", store.state)
    return store


def main() -> None:
    """Run until told to stop."""
    run(create, Settings, "ingest")


if __name__ == "__main__":
    main()
