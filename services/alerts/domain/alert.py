"""What people are told of: one alert a cause, however often its event comes or the same thing happens again."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from returpost.contracts import (
    ConsumerPaused,
    ConsumerResumed,
    Contract,
    DeadLetterGroupOpened,
    ImportFinished,
    MailingBreached,
    MailingPause,
    ReportPrepared,
    SecretExpiring,
    StormEnded,
    StormStarted,
    WebhookDisabled,
    ids,
)
from returpost.contracts.addresses import hide_addresses
from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import AlertKind, BreachLevel, Severity

MAX_FACT: Final = 200
"""Characters of one fact: what is told in full stands where the link or command leads."""
REPORT: Final = "report"
"""Name of the fact that is a whole report, in JSON."""
HIDDEN: Final = "[secret]"
_SECRET = re.compile(
    r"eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*"  # a signed token, RFC 7519
    r"|whsec_[\w+/=-]+"
    r"|(?i:bearer|basic)\s+[\w.~+/=-]{8,}"
    r"|(?<=://)[^\s/@]+:[^\s/@]+(?=@)"  # user and password of a URL
    r"|(?<=[?&])(?i:token|key|secret|password|sig|signature)=[^\s&]+"
)
FLAPPING: Final = timedelta(hours=1)
"""A consumer that pauses, goes on and pauses again is one cause within this time."""
REOPENED: Final = timedelta(days=1)
"""A group of dead letters that was emptied and begins anew is one cause within this time."""
SOON: Final = timedelta(days=2)
"""A token that ends within this time cannot wait for the next working week."""
ORDER: Final = {severity: n for n, severity in enumerate(Severity)}
"""From the least to the most."""


@dataclass(frozen=True, slots=True)
class Alert:
    """What people are told of."""

    id: str
    """Of its cause: the same however often it is said."""
    tenant: str
    kind: AlertKind
    severity: Severity
    time: datetime
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Meaning:
    severity: Severity
    cause: tuple[str | int | datetime | None, ...]
    """With tenant and kind what the alert is known by."""
    facts: Mapping[str, str | int]


def alert_of(event: Event[Any], *, show_addresses: bool) -> Alert | None:
    """Return what people are told of an event, or nothing when another event tells it.

    Addresses in it stay only where the setting allows it, tokens never.
    """
    data = event.data
    kind, meaning_of = _MEANINGS[type(data)]
    meaning = meaning_of(data)
    if meaning is None:
        return None
    return Alert(
        ids.of_content("alert", event.tenant, kind, *meaning.cause),
        event.tenant,
        kind,
        meaning.severity,
        data.time,
        {
            name: str(value) if name == REPORT else presentable(str(value), show_addresses=show_addresses)
            for name, value in meaning.facts.items()
        },
    )


def presentable(text: str, *, show_addresses: bool) -> str:
    """Return a text on one line, without what looks like a secret, and without addresses unless they are shown."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    shown = _SECRET.sub(HIDDEN, line)
    return (shown if show_addresses else hide_addresses(shown))[:MAX_FACT]


def share(part: int, whole: int) -> str:
    """Return a share in per cent, or a dash where nothing was sent."""
    return f"{100 * part / whole:.2f} %" if whole > 0 else "–"


def at_least(severity: Severity, least: Severity) -> bool:
    """Tell whether a severity is another one or above it."""
    return ORDER[severity] >= ORDER[least]


def _bucket(time: datetime, length: timedelta) -> int:
    """Number the time in steps of a length: what happens in the same step is one cause."""
    return int(time.timestamp() // length.total_seconds())


def _storm_started(data: StormStarted) -> _Meaning:
    counts = {"bounces": data.bounces, "of_bounces": data.of_bounces}
    facts = {"kind": data.kind.value, "value": data.value, "storm": data.storm}
    return _Meaning(Severity.CRITICAL, (data.storm,), {**facts, **counts})


def _storm_ended(data: StormEnded) -> _Meaning:
    facts = {"kind": data.kind.value, "value": data.value, "storm": data.storm}
    return _Meaning(Severity.INFO, (data.storm,), facts)


def _mailing_breached(data: MailingBreached) -> _Meaning:
    """A breach that only warns, and one after which the mailing is paused, are two causes."""
    paused = data.level is BreachLevel.PAUSE
    facts = {
        "mailing": data.mailing,
        "kind": data.kind.value,
        "level": data.level.value,
        "share": share(data.count, data.of_results),
        "limit": share(round(data.threshold * 100_000), 100_000),
    }
    counts = {"count": data.count, "of_results": data.of_results}
    severity = Severity.CRITICAL if paused else Severity.WARNING
    return _Meaning(severity, (data.mailing, data.kind, data.level), {**facts, **counts})


def _mailing_paused(data: MailingPause) -> _Meaning | None:
    """What a breach has paused was told of by the breach."""
    if data.kind is not None:
        return None
    facts = {"mailing": data.mailing, "by": data.by, "why": data.why}
    return _Meaning(Severity.WARNING, (data.mailing, data.time), facts)


def _consumer_paused(data: ConsumerPaused) -> _Meaning:
    severity = Severity.WARNING if data.cause == "operator" else Severity.CRITICAL
    facts = {"queue": data.queue, "cause": data.cause, "by": data.by, "why": data.why, "error": data.error}
    return _Meaning(severity, (data.queue, data.cause, _bucket(data.time, FLAPPING)), facts)


def _consumer_resumed(data: ConsumerResumed) -> _Meaning:
    facts = {"queue": data.queue, "cause": data.cause, "by": data.by}
    return _Meaning(Severity.INFO, (data.queue, data.cause, _bucket(data.time, FLAPPING)), facts)


def _dead_letters(data: DeadLetterGroupOpened) -> _Meaning:
    facts = {"queue": data.queue, "error": data.error, "fingerprint": data.fingerprint}
    return _Meaning(Severity.WARNING, (data.fingerprint, _bucket(data.time, REOPENED)), facts)


def _webhook_disabled(data: WebhookDisabled) -> _Meaning:
    return _Meaning(Severity.WARNING, (data.name, data.time), {"name": data.name, "why": data.why})


def _secret_expiring(data: SecretExpiring) -> _Meaning:
    soon = data.expires_at - data.time <= SOON
    facts = {"kind": data.kind, "name": data.name, "expires_at": data.expires_at.isoformat()}
    return _Meaning(Severity.CRITICAL if soon else Severity.WARNING, (data.secret, data.expires_at, soon), facts)


def _import_finished(data: ImportFinished) -> _Meaning:
    counts = ", ".join(f"{name} {count}" for name, count in sorted(data.outcomes.items()))
    facts = {"action": data.action, "outcomes": counts, "by": data.by, "note": data.note, "import": data.import_id}
    return _Meaning(Severity.INFO, (data.import_id,), {**facts, "rows": data.rows})


def _weekly_report(data: ReportPrepared) -> _Meaning:
    """Counts, reasons and domains alone: there is no address in it."""
    totals = data.totals
    sent, returned = totals.get("sent", 0), totals.get("hard", 0) + totals.get("soft", 0)
    facts: dict[str, str | int] = {
        "first": data.first.isoformat(),
        "last": data.last.isoformat(),
        "sent": sent,
        "returned": returned,
        "rate": share(returned, sent),
        "complained": totals.get("complained", 0),
        "blocked": data.blocked,
        "lifted": data.lifted,
        REPORT: data.model_dump_json(),
    }
    return _Meaning(Severity.INFO, (data.first.isoformat(),), facts)


_MEANINGS: Final[dict[type[Contract], tuple[AlertKind, Callable[[Any], _Meaning | None]]]] = {
    StormStarted: (AlertKind.STORM_STARTED, _storm_started),
    StormEnded: (AlertKind.STORM_ENDED, _storm_ended),
    MailingBreached: (AlertKind.MAILING_BREACHED, _mailing_breached),
    MailingPause: (AlertKind.MAILING_PAUSED, _mailing_paused),
    ConsumerPaused: (AlertKind.CONSUMER_PAUSED, _consumer_paused),
    ConsumerResumed: (AlertKind.CONSUMER_RESUMED, _consumer_resumed),
    DeadLetterGroupOpened: (AlertKind.DEAD_LETTERS, _dead_letters),
    WebhookDisabled: (AlertKind.WEBHOOK_DISABLED, _webhook_disabled),
    SecretExpiring: (AlertKind.SECRET_EXPIRING, _secret_expiring),
    ImportFinished: (AlertKind.IMPORT_FINISHED, _import_finished),
    ReportPrepared: (AlertKind.WEEKLY_REPORT, _weekly_report),
}
