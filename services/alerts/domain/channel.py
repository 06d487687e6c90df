"""Channels: where alerts go, which ones, and when."""

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from uuid import UUID

from returpost.contracts.enums import AlertKind, Severity
from returpost.contracts.routing import PLATFORM
from services.alerts.domain.alert import Alert, at_least
from services.alerts.domain.schedule import Quiet, due_at, quiet_until

MAX_RECIPIENTS = 20


class ChannelKind(StrEnum):
    """How a channel is reached."""

    EMAIL = "email"
    WEBHOOK = "webhook"
    SLACK = "slack"
    TEAMS = "teams"


class Language(StrEnum):
    """In what language a channel is told."""

    NORWEGIAN = "nb"
    ENGLISH = "en"


class Digest(StrEnum):
    """How often what is not critical goes out."""

    OFF = "off"
    HOURLY = "hourly"
    DAILY = "daily"


@dataclass(frozen=True, slots=True)
class Channel:
    """Where alerts go, which ones, and when."""

    id: UUID
    tenant: str
    name: str
    kind: ChannelKind
    language: Language = Language.ENGLISH
    severity: Severity = Severity.INFO
    """The least that goes there."""
    causes: frozenset[AlertKind] = frozenset()
    """What goes there; none named: all."""
    tenants: frozenset[str] = frozenset()
    """Of a channel of the platform: whose alerts go there; none named: everybody's."""
    digest: Digest = Digest.OFF
    digest_at: time = time(8)
    """When a daily digest goes out, in the channel's time zone."""
    quiet: Quiet | None = None
    zone: str = "UTC"
    hold_critical: bool = False
    """Whether digest and quiet hours hold back what is critical, too."""
    weekly_report: bool = False
    """Whether it has the report of each week, which goes only where it is wanted."""
    recipients: tuple[str, ...] = ()
    """Of a channel that is e-mail."""
    url: str = field(default="", repr=False)
    """Of any other channel; who knows it can post there."""
    secret: str = field(default="", repr=False)
    """Signs what is posted to a channel that is a webhook."""

    def wants(self, alert: Alert) -> bool:
        """Tell whether an alert goes there. A channel of the platform has the alerts of all tenants."""
        if self.tenant == PLATFORM:
            if self.tenants and alert.tenant not in self.tenants:
                return False
        elif alert.tenant != self.tenant:
            return False
        if alert.kind is AlertKind.WEEKLY_REPORT:
            return self.weekly_report
        return at_least(alert.severity, self.severity) and (not self.causes or alert.kind in self.causes)

    def due(self, alert: Alert, now: datetime) -> datetime:
        """Return when an alert goes there at the earliest."""
        if alert.severity is Severity.CRITICAL and not self.hold_critical:
            return now
        if alert.kind is AlertKind.WEEKLY_REPORT:
            return quiet_until(now, self.zone, self.quiet)
        every = {Digest.OFF: None, Digest.HOURLY: timedelta(hours=1), Digest.DAILY: timedelta(days=1)}[self.digest]
        return due_at(now, self.zone, every, self.digest_at, self.quiet)
