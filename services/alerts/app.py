"""Alerts: what people must know in time, to e-mail, Slack, Microsoft Teams and webhooks."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from returpost.contracts import (
    ConsumerPaused,
    ConsumerResumed,
    DeadLetterGroupOpened,
    ImportFinished,
    MailingBreached,
    MailingPause,
    ReportPrepared,
    SecretExpiring,
    StormEnded,
    StormStarted,
    WebhookDisabled,
)
from returpost.contracts.addresses import normalise
from returpost.contracts.routing import COMMANDS
from returpost.errors import InvalidAddress, InvalidSettings
from services.alerts.certificates import WATCH_SECONDS, CertificateWatch, watched
from services.alerts.delivery.loop import DeliveryLoop
from services.alerts.delivery.smtp import mail_server
from services.alerts.delivery.transport import Transport
from services.alerts.handlers import raise_alerts
from services.alerts.http import alerts, channels
from services.alerts.settings import Settings
from shared.outbound.http_sender import HttpSender
from shared.outbound.ssrf_guard import AllowedDestinations
from shared.service import Service, run


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def create(settings: Settings, clock: Callable[[], datetime] = utc_now) -> Service[Settings]:
    """Wire the service."""
    service = Service("alerts", settings, description=__doc__ or "")
    destinations = AllowedDestinations(settings.webhook_networks, settings.webhook_plain_http)
    raised = asyncio.Event()
    server = mail_server(settings.smtp_url.get_secret_value()) if settings.smtp_url else None
    sender = _sender(settings.mail_from)

    handle = partial(raise_alerts, clock=clock, show_addresses=settings.show_addresses, raised=raised.set)
    service.consume("alerts.storm-started", StormStarted, handle)
    service.consume("alerts.storm-ended", StormEnded, handle)
    service.consume("alerts.mailing-breached", MailingBreached, handle)
    service.consume("alerts.mailing-pause", MailingPause, handle, exchange=COMMANDS)
    service.consume("alerts.consumer-paused", ConsumerPaused, handle)
    service.consume("alerts.consumer-resumed", ConsumerResumed, handle)
    service.consume("alerts.dead-letter-group-opened", DeadLetterGroupOpened, handle)
    service.consume("alerts.webhook-disabled", WebhookDisabled, handle)
    service.consume("alerts.secret-expiring", SecretExpiring, handle)
    service.consume("alerts.import-finished", ImportFinished, handle)
    service.consume("alerts.report-prepared", ReportPrepared, handle)

    watch = CertificateWatch(watched(settings), settings.certificate_notice)
    service.add_health_check("certificates", watch.state)

    async def certificates() -> None:
        await watch.look(service.uow_factory, handle, clock())
        await asyncio.sleep(WATCH_SECONDS)

    def transport() -> Transport:
        poster = HttpSender(destinations, settings.webhook_timeout)
        return Transport(poster, server, sender, settings.smtp_timeout, settings.console_url)

    async def send() -> None:
        ways = transport()
        try:
            loop = DeliveryLoop(service.pool, service.uow_factory, ways, clock)
            await loop.run(raised, settings.interval, timedelta(days=settings.log_days))
        finally:
            await asyncio.shield(ways.close())

    service.background("messages", send)
    service.background("certificates", certificates)
    state = service.app.state
    state.clock, state.webhook_destinations, state.transport = clock, destinations, transport
    for module in (channels, alerts):
        service.routes(module.router)
    return service


def _sender(address: str) -> str:
    try:
        return normalise(address)
    except InvalidAddress as error:
        raise InvalidSettings(f"RETURPOST_ALERTS_MAIL_FROM: {error}") from None


def main() -> None:
    """Run until told to stop."""
    run(create, Settings, "alerts")


if __name__ == "__main__":
    main()
