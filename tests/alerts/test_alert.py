"""Which alert follows from what: one a cause; no token and no address in it; which channel has it, and when."""

import shlex
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, strategies as st

from returpost.cli.root import load
from returpost.contracts import (
    ConsumerPaused,
    ConsumerResumed,
    Contract,
    DeadLetterGroupOpened,
    ImportFinished,
    MailingBreached,
    MailingPause,
    SecretExpiring,
    StormEnded,
    StormStarted,
    WebhookDisabled,
)
from returpost.contracts.cloudevents import event
from returpost.contracts.enums import AlertKind, BreachKind, BreachLevel, Severity, StormKind
from returpost.contracts.routing import PLATFORM
from services.alerts.domain.alert import MAX_FACT, Alert, alert_of, presentable
from services.alerts.domain.channel import Channel, ChannelKind, Digest, Language
from services.alerts.domain.schedule import Quiet
from services.alerts.domain.wording import MAX_SHOWN, paragraph, words
from tests.alerts.builders import weekly_report

NOW = datetime(2026, 12, 1, 12, 5, tzinfo=UTC)
STORM = {"storm": "s-1", "kind": StormKind.REASON, "value": "bad_reputation", "begun": NOW, "time": NOW}
EVENTS: dict[AlertKind, Contract] = {
    AlertKind.STORM_STARTED: StormStarted(**STORM, bounces=60, of_bounces=80),
    AlertKind.STORM_ENDED: StormEnded(**STORM),
    AlertKind.MAILING_BREACHED: MailingBreached(
        mailing="spring/7",
        sender="news",
        kind=BreachKind.COMPLAINTS,
        level=BreachLevel.PAUSE,
        count=4,
        of_results=1_200,
        threshold=0.003,
        time=NOW,
    ),
    AlertKind.MAILING_PAUSED: MailingPause(mailing="m", sender="news", time=NOW, by="kari", why="wrong subject"),
    AlertKind.CONSUMER_PAUSED: ConsumerPaused(queue="blocklist.block-set", cause="failing", time=NOW, error="KeyError"),
    AlertKind.CONSUMER_RESUMED: ConsumerResumed(queue="blocklist.block-set", cause="failing", time=NOW),
    AlertKind.DEAD_LETTERS: DeadLetterGroupOpened(
        fingerprint="5f1c9e0b7a6d3c21", queue="blocklist.block-set", error="KeyError", dead_letter="d", time=NOW
    ),
    AlertKind.WEBHOOK_DISABLED: WebhookDisabled(name="crm", why="the receiver answered 410 Gone", time=NOW),
    AlertKind.SECRET_EXPIRING: SecretExpiring(
        secret="t-1", kind="token", name="newsletter", expires_at=NOW + timedelta(days=9), time=NOW
    ),
    AlertKind.IMPORT_FINISHED: ImportFinished(
        import_id="i-1", action="block", rows=3, outcomes={"blocked": 2, "invalid": 1}, by="kari", time=NOW
    ),
    AlertKind.WEEKLY_REPORT: weekly_report(NOW),
}


def alert(data: Contract, tenant: str = "acme", id_: str = "e", **how: bool) -> Alert:
    found = alert_of(event(data, id=id_, source="/test", tenant=tenant), show_addresses=how.get("show", False))
    assert found is not None
    return found


def channel(**values: Any) -> Channel:
    return replace(Channel(uuid4(), "acme", "c", ChannelKind.EMAIL), **values)


def test_every_kind_of_alert_has_its_event() -> None:
    assert set(EVENTS) == set(AlertKind)
    assert {kind: alert(data).kind for kind, data in EVENTS.items()} == {kind: kind for kind in AlertKind}


@pytest.mark.parametrize("kind", AlertKind)
def test_the_same_cause_is_the_same_alert(kind: AlertKind) -> None:
    """However often its event comes, and under whatever id; another tenant's is another."""
    data = EVENTS[kind]
    assert alert(data, id_="one").id == alert(data, id_="two").id
    assert alert(data, tenant="other").id != alert(data).id
    assert len({alert(one).id for one in EVENTS.values()}) == len(EVENTS)


@given(st.lists(st.integers(0, 6 * 3_600), min_size=1, max_size=200))
def test_a_flapping_consumer_is_one_alert_an_hour(seconds: list[int]) -> None:
    """In any order and number."""
    paused = [ConsumerPaused(queue="q", cause="failing", time=NOW + timedelta(seconds=one)) for one in seconds]
    ids = [alert(one).id for one in paused]
    assert len(set(ids)) <= 7
    assert {alert(one).id for one in reversed(paused)} == set(ids)


@pytest.mark.parametrize(
    ("kind", "severity"),
    [
        (AlertKind.STORM_STARTED, Severity.CRITICAL), (AlertKind.STORM_ENDED, Severity.INFO),
        (AlertKind.MAILING_BREACHED, Severity.CRITICAL), (AlertKind.MAILING_PAUSED, Severity.WARNING),
        (AlertKind.CONSUMER_PAUSED, Severity.CRITICAL), (AlertKind.CONSUMER_RESUMED, Severity.INFO),
        (AlertKind.DEAD_LETTERS, Severity.WARNING), (AlertKind.WEBHOOK_DISABLED, Severity.WARNING),
        (AlertKind.SECRET_EXPIRING, Severity.WARNING), (AlertKind.IMPORT_FINISHED, Severity.INFO),
        (AlertKind.WEEKLY_REPORT, Severity.INFO),
    ],
)  # fmt: skip
def test_severity_says_who_must_act(kind: AlertKind, severity: Severity) -> None:
    assert alert(EVENTS[kind]).severity is severity


def test_a_breach_is_one_alert_a_level_and_its_pause_is_none() -> None:
    """The command follows from the breach, which has told of it; a person's is told of."""
    breach = EVENTS[AlertKind.MAILING_BREACHED]
    warning = breach.model_copy(update={"level": BreachLevel.WARNING, "time": NOW + timedelta(minutes=5)})
    assert (alert(warning).severity, alert(breach).severity) == (Severity.WARNING, Severity.CRITICAL)
    assert alert(warning).id != alert(breach).id == alert(breach.model_copy(update={"count": 9})).id
    pause = EVENTS[AlertKind.MAILING_PAUSED].model_copy(update={"kind": BreachKind.COMPLAINTS})
    assert alert_of(event(pause, id="e", source="/test", tenant="acme"), show_addresses=False) is None
    told = paragraph(alert(breach), Language.ENGLISH, "UTC", "https://console.example.com")
    assert "0.33 % spam complaints: 4 of 1200 recipients; the limit is 0.30 %." in told.text
    assert told.link == "https://console.example.com/mailings/spring%2F7"


def test_a_token_is_told_of_twice_and_the_second_time_is_critical() -> None:
    first = SecretExpiring(secret="t", kind="token", name="n", expires_at=NOW + timedelta(days=9), time=NOW)
    last = first.model_copy(update={"time": NOW + timedelta(days=8)})
    later = first.model_copy(update={"time": NOW + timedelta(days=3)})
    assert (alert(first).severity, alert(last).severity) == (Severity.WARNING, Severity.CRITICAL)
    assert alert(first).id == alert(later).id != alert(last).id


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rejected ann@example.com: unknown", "rejected [address] unknown"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", "[secret]"),
        ("signed by whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "signed by [secret]"),
        ("Authorization: Bearer abcdef0123456789", "Authorization: [secret]"),
        ("https://x.example/?a=1&token=abc&b=2", "https://x.example/?a=1&[secret]&b=2"),
        ("line\r\nBcc: eve\x00", "line Bcc: eve"),
        ("x" * 999, "x" * MAX_FACT),
    ],
)
def test_facts_hold_no_secret_no_address_and_one_line(text: str, shown: str) -> None:
    assert presentable(text, show_addresses=False) == shown
    assert alert(EVENTS[AlertKind.WEBHOOK_DISABLED].model_copy(update={"why": text})).facts["why"] == shown


def test_addresses_are_shown_where_the_setting_allows_it() -> None:
    data = WebhookDisabled(name="crm", why="ann@example.com; Bearer abcdef0123456789", time=NOW)
    assert alert(data, show=True).facts["why"] == "ann@example.com; [secret]"


def test_a_channel_has_what_it_asks_for_of_its_tenant_alone() -> None:
    storm, over = alert(EVENTS[AlertKind.STORM_STARTED]), alert(EVENTS[AlertKind.STORM_ENDED])
    assert channel().wants(storm)
    assert not channel(tenant="other").wants(storm)
    assert [channel(severity=Severity.WARNING).wants(one) for one in (storm, over)] == [True, False]
    only = frozenset({AlertKind.STORM_ENDED})
    assert [channel(causes=only).wants(one) for one in (storm, over)] == [False, True]


def test_a_channel_of_the_platform_has_all_tenants_or_those_it_names() -> None:
    storm, paused = alert(EVENTS[AlertKind.STORM_STARTED]), alert(EVENTS[AlertKind.CONSUMER_PAUSED], tenant=PLATFORM)
    assert [channel(tenant=PLATFORM).wants(one) for one in (storm, paused)] == [True, True]
    assert [channel(tenant=PLATFORM, tenants=frozenset({PLATFORM})).wants(one) for one in (storm, paused)] == [
        False,
        True,
    ]
    assert not channel().wants(paused)


def test_the_weekly_report_goes_where_it_is_wanted_and_waits_for_no_digest() -> None:
    report = alert(EVENTS[AlertKind.WEEKLY_REPORT])
    assert [channel(weekly_report=wanted, severity=Severity.CRITICAL).wants(report) for wanted in (True, False)] == [
        True,
        False,
    ]
    daily = channel(weekly_report=True, digest=Digest.DAILY, quiet=Quiet(time(12), time(13)))
    assert daily.due(report, NOW) == NOW.replace(hour=13, minute=0)


def test_what_is_critical_waits_only_where_that_is_wanted() -> None:
    storm, over = alert(EVENTS[AlertKind.STORM_STARTED]), alert(EVENTS[AlertKind.STORM_ENDED])
    night = Quiet(time(12), time(13))
    quiet = channel(quiet=night)
    assert (quiet.due(storm, NOW), quiet.due(over, NOW)) == (NOW, NOW.replace(hour=13, minute=0))
    assert channel(quiet=night, hold_critical=True).due(storm, NOW) == NOW.replace(hour=13, minute=0)
    hourly = channel(digest=Digest.HOURLY, quiet=Quiet(time(13), time(14)))
    assert hourly.due(over, NOW) == NOW.replace(hour=14, minute=0)
    daily = channel(digest=Digest.DAILY, digest_at=time(8), zone="Europe/Oslo")
    assert daily.due(over, NOW) == datetime(2026, 12, 2, 7, tzinfo=UTC)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", AlertKind)
def test_each_message_has_one_link_or_a_command_that_exists(kind: AlertKind, language: Language) -> None:
    one = alert(EVENTS[kind])
    told = paragraph(one, language, "Europe/Oslo")
    assert told.title
    assert "{" not in told.title + told.text + told.command
    assert "2026-12-01 13:05 Europe/Oslo" in told.when
    name, *arguments = parts_of(told.command)
    command = load(name)
    if hasattr(command, "commands"):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    command.make_context(name, arguments)
    linked = paragraph(one, language, "UTC", "https://console.example.com/")
    assert bool(linked.link) != bool(linked.command)
    assert linked.link.startswith("https://console.example.com/") or not linked.link


def parts_of(command: str) -> list[str]:
    first, *rest = shlex.split(command)
    assert first == "returpost"
    return rest


def test_a_fact_is_one_argument_of_the_command_whatever_is_in_it() -> None:
    one = replace(alert(EVENTS[AlertKind.WEBHOOK_DISABLED]), facts={"name": "x; rm -rf / $(id)", "why": ""})
    told = paragraph(one, Language.ENGLISH, "UTC")
    assert parts_of(told.command)[2] == "x; rm -rf / $(id)"
    assert "Why" not in told.text


def test_many_alerts_are_one_message_with_the_most_severe_first() -> None:
    group = EVENTS[AlertKind.DEAD_LETTERS]
    many = [alert(group.model_copy(update={"fingerprint": f"f{n}"})) for n in range(1_000)]
    told = words([*many, alert(EVENTS[AlertKind.STORM_STARTED])], Language.ENGLISH, "UTC")
    assert len(told.paragraphs) == MAX_SHOWN
    assert told.paragraphs[0].alert.kind is AlertKind.STORM_STARTED
    assert told.title == "1001 alerts; first: Storm of bounces at acme"
    assert str(1_001 - MAX_SHOWN) in told.more
