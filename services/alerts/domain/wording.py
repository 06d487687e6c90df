"""Alerts in words, in the language of their channel: a title, a sentence, and the one link or command that helps."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from returpost.contracts.enums import AlertKind, Severity
from services.alerts.domain.alert import ORDER, Alert
from services.alerts.domain.channel import Language
from services.alerts.domain.reasons import REASONS

MAX_SHOWN: Final = 10
"""Alerts of one message that are told one by one: Teams takes 28 KB a card."""

Variant = tuple[AlertKind, str]
"""A kind, and what of its facts makes another sentence of it."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One alert, as people read it."""

    alert: Alert
    title: str
    text: str
    when: str
    link: str = ""
    """The page that helps; nothing where nobody said where the console is, or no page does."""
    command: str = ""
    """The command that helps, where no page does."""


@dataclass(frozen=True, slots=True)
class Words:
    """A message, as people read it."""

    language: Language
    title: str
    paragraphs: Sequence[Paragraph]
    more: str = ""
    """What is said of the alerts that are too many to be told one by one."""
    severity: Severity = Severity.INFO


@dataclass(frozen=True, slots=True)
class _Way:
    page: str
    command: Sequence[str]
    """Words in braces are facts."""


def words(alerts: Sequence[Alert], language: Language, zone: str, console_url: str = "") -> Words:
    """Return a message of one or more alerts, the most severe first."""
    ordered = sorted(alerts, key=lambda alert: (-ORDER[alert.severity], alert.time, alert.id))
    told = [paragraph(alert, language, zone, console_url) for alert in ordered[:MAX_SHOWN]]
    texts, rest = _TEXTS[language], len(ordered) - len(told)
    title = told[0].title if len(ordered) == 1 else texts["several"].format(count=len(ordered), first=told[0].title)
    more = texts["more"].format(count=rest) if rest else ""
    return Words(language, title, told, more, ordered[0].severity)


def paragraph(alert: Alert, language: Language, zone: str, console_url: str = "") -> Paragraph:
    """Return one alert as people read it."""
    variant = _variant(alert)
    texts = _KINDS[language]
    title, text = texts.get((alert.kind, variant)) or texts[(alert.kind, "")]
    facts = dict.fromkeys(_NAMES, "") | dict(alert.facts) | {"tenant": alert.tenant}
    if "expires_at" in alert.facts:
        facts["expires_at"] = local(datetime.fromisoformat(alert.facts["expires_at"]), zone)
    if alert.kind in (AlertKind.STORM_STARTED, AlertKind.STORM_ENDED):
        facts["by"] = _STORM_BY[language][variant].format(value=REASONS[language].get(facts["value"], facts["value"]))
    if alert.kind is AlertKind.MAILING_BREACHED:
        facts["by"] = _BREACHES[language].get(facts["kind"], facts["kind"])
    way = _WAYS.get((alert.kind, variant)) or _WAYS[(alert.kind, "")]
    page = way.page.format_map({name: quote(fact, safe="") for name, fact in facts.items()})
    link = f"{console_url.rstrip('/')}{page}" if console_url and page else ""
    command = "" if link else _command(way.command, facts)
    return Paragraph(alert, title.format_map(facts), _sentence(text, facts), local(alert.time, zone), link, command)


def local(time: datetime, zone: str) -> str:
    """Return a time by the clock on the wall, with the name of the zone."""
    return f"{time.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"


def severity_word(severity: Severity, language: Language) -> str:
    """Return how severe something is, in a language."""
    return _TEXTS[language][severity.value]


def trial_words(language: Language, channel: str) -> tuple[str, str]:
    """Return title and text of a message that only tries out a channel."""
    return _TEXTS[language]["trial_title"], _TEXTS[language]["trial_text"].format(channel=channel)


def _variant(alert: Alert) -> str:
    facts = alert.facts
    if alert.kind in (AlertKind.STORM_STARTED, AlertKind.STORM_ENDED, AlertKind.SECRET_EXPIRING):
        return facts.get("kind", "")
    if alert.kind in (AlertKind.CONSUMER_PAUSED, AlertKind.CONSUMER_RESUMED):
        return facts.get("cause", "")
    return facts.get("level" if alert.kind is AlertKind.MAILING_BREACHED else "action", "")


def _sentence(text: str, facts: Mapping[str, str]) -> str:
    """Fill in a text; a part in brackets stands only where its facts say something."""
    parts = []
    for part in text.split("|"):
        names = [name for name in _NAMES if f"{{{name}}}" in part]
        if not names or all(facts[name] for name in names):
            parts.append(part.format_map(facts))
    return "".join(parts)


def _command(parts: Sequence[str], facts: Mapping[str, str]) -> str:
    return " ".join(shlex.quote(part.format_map(facts)) if "{" in part else part for part in parts)


_NAMES: Final = (
    "kind", "value", "bounces", "of_bounces", "storm", "queue", "cause", "by", "why", "error", "fingerprint", "name",
    "expires_at", "action", "rows", "outcomes", "note", "import", "tenant",
    "first", "last", "sent", "returned", "rate", "complained", "blocked", "lifted",
    "mailing", "level", "share", "limit", "count", "of_results",
)  # fmt: skip

_MAILING: Final = _Way("/mailings/{mailing}", ("returpost mailings show", "{mailing}", "--tenant", "{tenant}"))

_WAYS: Final[Mapping[Variant, _Way]] = {
    (AlertKind.STORM_STARTED, ""): _Way("/", ("returpost storms show", "{storm}", "--tenant", "{tenant}")),
    (AlertKind.STORM_ENDED, ""): _Way("/", ("returpost storms show", "{storm}", "--tenant", "{tenant}")),
    (AlertKind.MAILING_BREACHED, ""): _Way(
        "/mailings/{mailing}", ("returpost mailings show", "{mailing}", "--tenant", "{tenant}")
    ),
    (AlertKind.MAILING_PAUSED, ""): _Way(
        "/mailings/{mailing}", ("returpost mailings show", "{mailing}", "--tenant", "{tenant}")
    ),
    (AlertKind.CONSUMER_PAUSED, ""): _Way("/system", ("returpost dead-letters list --queue", "{queue}")),
    (AlertKind.CONSUMER_PAUSED, "operator"): _Way(
        "/system", ("returpost queues resume", "{queue}", "--why", "'it can go on'")
    ),
    (AlertKind.CONSUMER_RESUMED, ""): _Way("/system", ("returpost queues list",)),
    (AlertKind.DEAD_LETTERS, ""): _Way("/system", ("returpost dead-letters list --fingerprint", "{fingerprint}")),
    (AlertKind.WEBHOOK_DISABLED, ""): _Way("", ("returpost webhooks enable", "{name}", "--tenant", "{tenant}")),
    (AlertKind.SECRET_EXPIRING, ""): _Way("/users", ("returpost token --tenant", "{tenant}", "--name", "{name}")),
    (AlertKind.SECRET_EXPIRING, "webhook-secret"): _Way(
        "", ("returpost webhooks test", "{name}", "--tenant", "{tenant}")
    ),
    (AlertKind.SECRET_EXPIRING, "certificate"): _Way("", ("returpost status",)),
    (AlertKind.WEEKLY_REPORT, ""): _Way("/", ("returpost blocked list --tenant", "{tenant}")),
    (AlertKind.IMPORT_FINISHED, ""): _Way("/blocked", ("returpost blocked list --tenant", "{tenant}")),
}

_TEXTS: Final[Mapping[Language, Mapping[str, str]]] = {
    Language.ENGLISH: {
        "several": "{count} alerts; first: {first}",
        "more": "And {count} more; the list of alerts has all of them.",
        "info": "Information",
        "warning": "Warning",
        "critical": "Critical",
        "trial_title": "Returpost: test message",
        "trial_text": "Alerts of the channel {channel} come here.",
    },
    Language.NORWEGIAN: {
        "several": "{count} varsler; først: {first}",
        "more": "Og {count} til; listen over varsler har alle.",
        "info": "Til orientering",
        "warning": "Advarsel",
        "critical": "Kritisk",
        "trial_title": "Returpost: prøvemelding",
        "trial_text": "Varsler fra kanalen {channel} kommer hit.",
    },
}

_STORM_BY: Final[Mapping[Language, Mapping[str, str]]] = {
    Language.ENGLISH: {
        "reason": "the reason “{value}”",
        "domain": "the receiving domain {value}",
        "ip": "the sending host {value}",
        "": "{value}",
    },
    Language.NORWEGIAN: {
        "reason": "årsaken «{value}»",
        "domain": "mottakerdomenet {value}",
        "ip": "avsenderserveren {value}",
        "": "{value}",
    },
}

_BREACHES: Final[Mapping[Language, Mapping[str, str]]] = {
    Language.ENGLISH: {
        "hard_bounces": "hard bounces",
        "complaints": "spam complaints",
        "sender_faults": "refused because of the sender",
    },
    Language.NORWEGIAN: {
        "hard_bounces": "harde returer",
        "complaints": "spamklager",
        "sender_faults": "avvist på grunn av avsenderen",
    },
}

_KINDS: Final[Mapping[Language, Mapping[Variant, tuple[str, str]]]] = {
    Language.ENGLISH: {
        (AlertKind.STORM_STARTED, ""): (
            "Storm of bounces at {tenant}",
            (
                "{bounces} of {of_bounces} bounces have one cause: {by}. They do not count while it lasts. Stop"
                " mailings that fail for it; what was blocked already can be lifted in one go."
            ),
        ),
        (AlertKind.STORM_ENDED, ""): (
            "The storm of bounces at {tenant} is over",
            "Bounces by {by} count again. Decide whether what it blocked is lifted.",
        ),
        (AlertKind.MAILING_BREACHED, ""): (
            "The mailing {mailing} of {tenant} does worse than it should",
            "{share} {by}: {count} of {of_results} recipients; the limit is {limit}.",
        ),
        (AlertKind.MAILING_BREACHED, "pause"): (
            "The mailing {mailing} of {tenant} is paused",
            (
                "{share} {by}: {count} of {of_results} recipients; the limit is {limit}. The sending system was told to"
                " stop, and retries wait until somebody resumes the mailing."
            ),
        ),
        (AlertKind.MAILING_PAUSED, ""): (
            "The mailing {mailing} of {tenant} was paused",
            "Its retries wait until it is resumed.| By {by}.| Why: {why}.",
        ),
        (AlertKind.CONSUMER_PAUSED, ""): (
            "{queue} is paused: its events fail",
            (
                "Too many events of this queue fail.| The last error: {error}.| It tries one event from time to time"
                " and goes on by itself when one succeeds; nothing is lost."
            ),
        ),
        (AlertKind.CONSUMER_PAUSED, "operator"): (
            "{queue} was paused",
            "Nothing is taken from this queue until it is resumed.| By {by}.| Why: {why}.",
        ),
        (AlertKind.CONSUMER_RESUMED, ""): ("{queue} is consumed again", "The queue is worked off.| By {by}."),
        (AlertKind.DEAD_LETTERS, ""): (
            "New dead letters of {queue}",
            "A message failed in a way that is new.| Error: {error}.| It is kept; what fails alike joins its group.",
        ),
        (AlertKind.WEBHOOK_DISABLED, ""): (
            "The webhook {name} of {tenant} is disabled",
            "Nothing more is posted to it until somebody enables it.| Why: {why}.",
        ),
        (AlertKind.SECRET_EXPIRING, ""): (
            "The token {name} of {tenant} expires",
            "It ends at {expires_at}. Whoever uses it needs another by then.",
        ),
        (AlertKind.SECRET_EXPIRING, "webhook-secret"): (
            "The old secret of the webhook {name} of {tenant} expires",
            "From {expires_at} on only the new one signs. Its receiver must know that one by then.",
        ),
        (AlertKind.SECRET_EXPIRING, "certificate"): (
            "The certificate of {name} expires",
            "It ends at {expires_at}. From then on nothing connects there. Replace it; what waits then goes on.",
        ),
        (AlertKind.IMPORT_FINISHED, "block"): (
            "Import finished at {tenant}: {rows} rows to block",
            "Outcomes: {outcomes}.| By {by}.| {note}",
        ),
        (AlertKind.IMPORT_FINISHED, ""): (
            "Import finished at {tenant}: {rows} rows to clear",
            "Outcomes: {outcomes}.| By {by}.| {note}",
        ),
        (AlertKind.WEEKLY_REPORT, ""): (
            "The week at {tenant}, {first} to {last}",
            (
                "{sent} sent, {returned} came back ({rate}), {complained} complained; {blocked} addresses blocked,"
                " {lifted} blocks lifted."
            ),
        ),
    },
    Language.NORWEGIAN: {
        (AlertKind.STORM_STARTED, ""): (
            "Storm av returmeldinger hos {tenant}",
            (
                "{bounces} av {of_bounces} returmeldinger har samme årsak: {by}. De telles ikke så lenge den varer."
                " Stans utsendelser som feiler av den; det som alt er blokkert, kan oppheves samlet."
            ),
        ),
        (AlertKind.STORM_ENDED, ""): (
            "Stormen av returmeldinger hos {tenant} er over",
            "Returmeldinger fra {by} telles igjen. Avgjør om det den blokkerte, skal oppheves.",
        ),
        (AlertKind.MAILING_BREACHED, ""): (
            "Utsendelsen {mailing} hos {tenant} går dårligere enn den burde",
            "{share} {by}: {count} av {of_results} mottakere; grensen er {limit}.",
        ),
        (AlertKind.MAILING_BREACHED, "pause"): (
            "Utsendelsen {mailing} hos {tenant} er stoppet",
            (
                "{share} {by}: {count} av {of_results} mottakere; grensen er {limit}. Avsendersystemet har fått beskjed"
                " om å stoppe, og nye forsøk venter til noen lar utsendelsen fortsette."
            ),
        ),
        (AlertKind.MAILING_PAUSED, ""): (
            "Utsendelsen {mailing} hos {tenant} er satt på pause",
            "Nye forsøk venter til den fortsetter.| Av {by}.| Hvorfor: {why}.",
        ),
        (AlertKind.CONSUMER_PAUSED, ""): (
            "{queue} står: meldingene feiler",
            (
                "For mange meldinger i denne køen feiler.| Siste feil: {error}.| Den prøver én melding av og til og går"
                " videre av seg selv når en lykkes; ingenting går tapt."
            ),
        ),
        (AlertKind.CONSUMER_PAUSED, "operator"): (
            "{queue} er satt på pause",
            "Ingenting tas fra køen før den startes igjen.| Av {by}.| Hvorfor: {why}.",
        ),
        (AlertKind.CONSUMER_RESUMED, ""): ("{queue} går igjen", "Køen arbeides unna.| Av {by}."),
        (AlertKind.DEAD_LETTERS, ""): (
            "Nye ubehandlede meldinger fra {queue}",
            (
                "En melding feilet på en ny måte.| Feil: {error}.| Den er tatt vare på; det som feiler likt, havner i"
                " samme gruppe."
            ),
        ),
        (AlertKind.WEBHOOK_DISABLED, ""): (
            "Webhooken {name} hos {tenant} er slått av",
            "Ingenting mer sendes til den før noen slår den på.| Hvorfor: {why}.",
        ),
        (AlertKind.SECRET_EXPIRING, ""): (
            "Tilgangsnøkkelen {name} hos {tenant} utløper",
            "Den utløper {expires_at}. Den som bruker den, trenger en ny før det.",
        ),
        (AlertKind.SECRET_EXPIRING, "webhook-secret"): (
            "Den gamle hemmeligheten til webhooken {name} hos {tenant} utløper",
            "Fra {expires_at} signerer bare den nye. Mottakeren må kjenne den innen da.",
        ),
        (AlertKind.SECRET_EXPIRING, "certificate"): (
            "Sertifikatet til {name} utløper",
            "Det utløper {expires_at}. Fra da av kobler ingenting seg til. Bytt det; det som venter, går videre.",
        ),
        (AlertKind.IMPORT_FINISHED, "block"): (
            "Import ferdig hos {tenant}: {rows} rader til blokkering",
            "Utfall: {outcomes}.| Av {by}.| {note}",
        ),
        (AlertKind.IMPORT_FINISHED, ""): (
            "Import ferdig hos {tenant}: {rows} rader til opphevelse",
            "Utfall: {outcomes}.| Av {by}.| {note}",
        ),
        (AlertKind.WEEKLY_REPORT, ""): (
            "Uka hos {tenant}, {first} til {last}",
            (
                "{sent} sendt, {returned} kom i retur ({rate}), {complained} klaget; {blocked} adresser blokkert,"
                " {lifted} blokkeringer opphevet."
            ),
        ),
    },
}
"""Title and text by kind and variant. Parts between bars stand only where what they name is known."""
