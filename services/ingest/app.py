"""Ingest: every way a delivery result can arrive -> one normalised event."""

from functools import partial

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
from returpost.contracts.routing import COMMANDS
from returpost.validation import Domains, Validator, load_lists
from services.ingest.mail_sources import http as mail_http
from services.ingest.mail_sources.ingestion import MAX_MAIL, MailIngestion
from services.ingest.mail_sources.sources import run_sources
from services.ingest.raw_messages import http as raw_messages_http
from services.ingest.raw_messages.handlers import handle_erasures, handle_store_commands, purge
from services.ingest.raw_messages.repository import RawMessageRepository
from services.ingest.results import http as results_http
from services.ingest.results.handlers import handle_results
from services.ingest.settings import Settings
from services.ingest.unsubscribes import http as unsubscribes_http
from services.ingest.validation import http as validation_http
from services.ingest.validation.handlers import handle_validate
from services.ingest.webhooks import http as webhooks_http
from services.ingest.webhooks.fast_path import FastPathMiddleware
from services.ingest.webhooks.handlers import KumoLog, handle_deferred, handle_kumomta_logs, read_log
from services.ingest.webhooks.http import MAX_WEBHOOK
from services.ingest.webhooks.load_shedding import then_yield_to_requests
from shared.http import residual_searches
from shared.http.max_body import BodyLimit
from shared.service import Service, run

MAX_DEFERRED = 50
"""Deferred payloads that are read together: what comes of more would hold up the answers to others."""
MAX_STORED = 100
"""Raw messages that are stored together, for the same reason."""


def create(settings: Settings) -> Service[Settings]:
    """Wire the service."""
    service = Service("ingest", settings, description=__doc__ or "", stateless=True)
    state = service.app.state
    state.validator = validator = Validator(
        Domains(settings.name_servers, settings.dns_port), load_lists(settings.lists_dir)
    )
    state.return_paths = settings.return_paths()
    state.mail_ingestion = MailIngestion(service, keeps=settings.keeps_raw_messages)
    state.raw_messages = None

    results = partial(handle_results, clock_tolerance=settings.clock_tolerance)
    service.consume("ingest.delivery-result", DeliveryResult, results, exchange=COMMANDS)
    validate = partial(handle_validate, validator=validator)
    service.consume("ingest.address-validate", AddressValidate, validate, exchange=COMMANDS)
    logs = partial(handle_kumomta_logs, service=service)
    service.consume_raw("ingest.kumomta-log", KumoLog, logs, read_log, exchange=COMMANDS)
    deferred, queue = partial(handle_deferred, service=service), "ingest.provider-payload-process"
    service.consume(queue, ProviderPayloadProcess, deferred, exchange=COMMANDS, max_batch_events=MAX_DEFERRED)

    service.publishes(DeliveryRecorded, "delivery.recorded.{tenant}.{result}")
    service.publishes(BounceReceived, "bounce.received.{tenant}")
    service.publishes(AddressValidated, "address.validated.{tenant}")
    service.commands(ProviderPayloadProcess, "provider-payload.process.{tenant}")
    service.commands(RawMessageStore, "raw-message.store.{tenant}")

    run_sources(service, state.mail_ingestion)
    service.app.add_middleware(FastPathMiddleware)
    service.allow_anonymous("/webhooks/", "/u/")
    service.limit_bodies(BodyLimit(MAX_WEBHOOK, values=None), "/webhooks/")
    service.limit_bodies(BodyLimit(values=None), "/v1/delivery-results")
    service.limit_bodies(BodyLimit(MAX_MAIL, values=None), "/v1/bounce-mails")
    for room in (webhooks_http, unsubscribes_http, results_http, mail_http, raw_messages_http, validation_http):
        service.routes(room.router)
    if settings.keeps_raw_messages:
        _keep_raw_messages(service)
    return service


def _keep_raw_messages(service: Service[Settings]) -> None:
    """Keep what arrives as it arrived, in a database that everything else can do without."""
    settings = service.settings
    service.app.state.raw_messages = repository = RawMessageRepository(settings.database_url, settings.database_pool)

    store = then_yield_to_requests(partial(handle_store_commands, repository=repository), service)
    service.consume(
        "ingest.raw-message-store", RawMessageStore, store, exchange=COMMANDS, required_for_readiness=False,
        max_batch_events=MAX_STORED,
    )  # fmt: skip
    erase = partial(handle_erasures, repository=repository)
    service.consume("ingest.address-erased", AddressErased, erase, required_for_readiness=False)

    keep, max_bytes = settings.raw_messages_keep, settings.raw_messages_max_bytes
    service.background("purge of raw messages", partial(purge, repository, keep=keep, max_bytes=max_bytes))
    service.add_health_check("raw_messages", repository.state)
    service.routes(residual_searches.routes(repository.pool))


def main() -> None:
    """Run until told to stop."""
    run(create, Settings, "ingest")


if __name__ == "__main__":
    main()
