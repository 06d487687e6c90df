"""Certificates that end soon are told of in time: of what the installation connects to, and of what is named."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from returpost.contracts import SecretExpiring, ids
from returpost.contracts.cloudevents import Event
from returpost.contracts.routing import PLATFORM
from services.alerts.settings import Settings
from shared.messaging.envelope import event_factory
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory
from shared.observability.metrics import CERTIFICATE_EXPIRES
from shared.outbound.tls_certificate import Endpoint, endpoints_of, valid_until

WATCH_SECONDS: Final = 6 * 3600.0
READ_SECONDS: Final = 10.0

Handle = Callable[[Sequence[Event[Any]], UnitOfWork], Awaitable[None]]

log = structlog.get_logger()
new_event = event_factory("alerts")


def watched(settings: Settings) -> list[Endpoint]:
    """Return the endpoints that are watched, each once: those of our own URLs that speak TLS, and those that are named.

    Raises `InvalidSettings`.
    """
    own = {
        "rabbitmq": settings.amqp_url.get_secret_value(),
        "postgresql": settings.database_url.get_secret_value() if settings.database_url else "",
        "mail server": settings.smtp_url.get_secret_value() if settings.smtp_url else "",
        "console": settings.console_url,
    }
    found = [one for name, url in own.items() for one in endpoints_of(url, name)]
    found += [one for url in settings.certificate_urls for one in endpoints_of(url)]
    return list({(one.host, one.port): one for one in reversed(found)}.values())[::-1]


def expiring(endpoint: Endpoint, until: datetime, now: datetime, notice: timedelta) -> Event[Any] | None:
    """Return what people are told of a certificate, when it ends within the notice, or has ended."""
    if until - now > notice:
        return None
    secret = ids.of_content("certificate", endpoint.name)
    data = SecretExpiring(secret=secret, kind="certificate", name=endpoint.name, expires_at=until, time=now)
    return new_event(data, id=ids.of_content("certificate expiring", secret, until, now), tenant=PLATFORM)


@dataclass
class CertificateWatch:
    """Looks at the certificates of the endpoints, and remembers what it saw."""

    endpoints: Sequence[Endpoint]
    notice: timedelta
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def state(self) -> dict[str, dict[str, Any]]:
        """Return by endpoint until when its certificate is valid, or why that is not known."""
        return self.seen

    async def look(self, uow_factory: UnitOfWorkFactory, handle: Handle, now: datetime) -> None:
        """Look at all of them once, and hand on what is told of those that end soon."""
        events = []
        for endpoint in self.endpoints:
            try:
                until = await valid_until(endpoint, READ_SECONDS)
            except OSError as error:
                self.seen[endpoint.name] = {"valid_until": None, "error": type(error).__name__}
                log.warning("certificate not read", endpoint=endpoint.name, error=type(error).__name__)
                continue
            self.seen[endpoint.name] = {"valid_until": until.isoformat(), "error": None}
            CERTIFICATE_EXPIRES.labels(endpoint.name).set(until.timestamp())
            if (event := expiring(endpoint, until, now, self.notice)) is not None:
                events.append(event)
        if events:
            async with uow_factory.begin() as work:
                await handle(events, work)
