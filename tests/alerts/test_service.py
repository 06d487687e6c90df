"""Alerts from cause to receiver: a real mail server and real HTTP receivers, with RabbitMQ and PostgreSQL."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from returpost.contracts import (
    ConsumerPaused,
    Contract,
    DeadLetterGroupOpened,
    MailingBreached,
    MailingPause,
    StormEnded,
    StormStarted,
)
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.enums import BreachKind, BreachLevel, StormKind
from returpost.contracts.routing import PLATFORM
from services.alerts.app import create
from services.alerts.delivery.transport import Transport
from services.alerts.domain import schedule
from services.alerts.settings import Settings
from shared.http.auth import ALL_TENANTS
from shared.outbound import signing
from shared.outbound.answer import Answer
from tests.alerts.builders import weekly_report
from tests.alerts.certificate import certificate_file, serving
from tests.alerts.mail_server import mail_server
from tests.blocklist.outbound_webhooks.receiver import receiving
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

LOCAL = {"webhook_networks": ("127.0.0.0/8",), "webhook_plain_http": True}


def of(data: Contract, id_: str, tenant: str = TENANT) -> Event[Any]:
    return event(data, id=id_, source="/test", tenant=tenant)


def storm(name: str, kind: type[StormStarted] | type[StormEnded] = StormStarted, **more: Any) -> Any:
    now = datetime.now(UTC)
    return kind(storm=name, kind=StormKind.REASON, value="bad_reputation", begun=now, time=now, **more)


def group(n: int) -> DeadLetterGroupOpened:
    return DeadLetterGroupOpened(
        fingerprint=f"f{n}",
        queue="actions.block-applied",
        error="KeyError",
        dead_letter=f"d{n}",
        time=datetime.now(UTC),
    )


async def add(alerts: RunningService, name: str, kind: str, tenant: str = TENANT, **more: Any) -> dict[str, Any]:
    answer = await alerts.http.post(
        "/v1/alert-channels", params={"tenant": tenant}, json={"name": name, "kind": kind, **more}
    )
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def sent(alerts: RunningService, name: str, state: str | None = None, tenant: str = TENANT) -> list[Any]:
    params = {"tenant": tenant} | ({"state": state} if state else {})
    answer = await alerts.http.get(f"/v1/alert-channels/{name}/messages", params=params)
    found: list[Any] = answer.raise_for_status().json()["items"]
    return found


@pytest.fixture
def everybody(harness: Harness) -> str:
    """A token for all tenants."""
    return f"Bearer {harness.token(tenant=ALL_TENANTS)}"


async def test_a_storm_reaches_people_once_by_every_channel(harness: Harness, everybody: str, tmp_path: Path) -> None:
    """From cause to sent, under five seconds; said a thousand times, it is one message each."""
    ends = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0)
    tls = serving(certificate_file(tmp_path, ends))
    async with (
        mail_server() as mails, receiving() as receiver, receiving() as slack, receiving() as teams,
        mail_server(tls=tls) as watched,
    ):  # fmt: skip
        endpoint = f"127.0.0.1:{watched.port}"
        settings = {
            **LOCAL,
            "certificate_urls": [f"https://{endpoint}"],
            "smtp_url": f"smtp://127.0.0.1:{mails.port}",
            "mail_from": "returpost@example.com",
        }
        async with harness.running(create, Settings, "alerts", **settings) as alerts:
            alerts.http.headers["Authorization"] = everybody
            await add(alerts, "mail", "email", recipients=["kari@example.com"], language="nb", weekly_report=True)
            secret = (await add(alerts, "hook", "webhook", url=f"{receiver.url}/hook"))["secret"]
            await add(alerts, "slack", "slack", url=f"{slack.url}/hook")
            await add(alerts, "teams", "teams", url=f"{teams.url}/hook", severity="critical")
            await add(alerts, "other", "webhook", tenant="other", url=f"{receiver.url}/hook")
            began = asyncio.get_running_loop().time()
            one = storm("s-1", bounces=60, of_bounces=80)
            await harness.send(*(of(one, f"e-{n}") for n in range(500)))
            await harness.send(*(of(one, f"e-{n}") for n in range(1_000)))
            for place in (mails, receiver, slack, teams):
                await eventually(place.count)
            assert asyncio.get_running_loop().time() - began < 5
            await harness.send(of(storm("s-1", StormEnded), "end"))
            await eventually(receiver.count, lambda count: count == 2)
            await eventually(mails.count, lambda count: count == 2)
            await harness.send(of(weekly_report(datetime.now(UTC)), "report"))
            await eventually(mails.count, lambda count: count == 3)
            assert mails.messages[2]["Subject"] == "[Til orientering] Uka hos acme, 2026-11-23 til 2026-11-29"
            assert "image/png" in [part.get_content_type() for part in mails.messages[2].walk()]
            await eventually(lambda: sent(alerts, "mail", "sent"), lambda all_: len(all_) == 3)
            assert len(await sent(alerts, "teams")) == 1
            assert (await alerts.service.health())["certificates"][endpoint]["valid_until"] == ends.isoformat()
            told = (await alerts.http.get("/v1/alerts", params={"tenant": PLATFORM})).raise_for_status().json()["items"]
            assert [(one["kind"], one["severity"]) for one in told] == [("secret_expiring", "warning")]
            assert endpoint in told[0]["title"]
            assert await sent(alerts, "other", tenant="other") == []
        first, second = receiver.posted
        assert [found["data"]["kind"] for found in first.events + second.events] == ["storm_started", "storm_ended"]
        expected = signing.headers(first.id, int(first.headers["webhook-timestamp"]), first.body, [secret])
        assert first.headers["webhook-signature"] == expected["webhook-signature"]
        assert "webhook-signature" not in slack.posted[0].headers
        assert "Poor sender reputation" in json.dumps(json.loads(slack.posted[0].body))
        assert mails.messages[0]["Subject"] == "[Kritisk] Storm av returmeldinger hos acme"
        text, _ = (part.get_content() for part in mails.messages[0].iter_parts())
        assert "returpost storms show s-1 --tenant acme" in text


async def test_a_flood_of_causes_is_few_messages_and_none_is_lost(harness: Harness, everybody: str) -> None:
    """A channel of the platform has what concerns all tenants; a thousand new failures are told together."""
    async with receiving() as receiver, harness.running(create, Settings, "alerts", **LOCAL) as alerts:
        alerts.http.headers["Authorization"] = everybody
        await add(alerts, "ops", "webhook", tenant=PLATFORM, url=f"{receiver.url}/hook")
        for n in range(0, 1_000, 50):
            await harness.send(*(of(group(m), f"g-{m}", PLATFORM) for m in range(n, n + 50)))
        paused = ConsumerPaused(queue="actions.block-applied", cause="failing", time=datetime.now(UTC))
        await harness.send(of(paused, "p", PLATFORM), detail="failing")
        await harness.send(of(storm("s-2", bounces=60, of_bounces=80), "s"))
        count = "SELECT count(*) FROM alerts"
        await eventually(lambda: harness.fetch("alerts", count), lambda rows: rows[0][0] == 1_002)
        await eventually(lambda: sent(alerts, "ops", "sent", PLATFORM))
        assert await receiver.count() <= schedule.BURST
        # What is above the burst waits for its turn: ten minutes later it goes out.
        await harness.fetch("alerts", "UPDATE messages SET formed_at = formed_at - interval '10 minutes'")
        waiting = "SELECT count(*) FROM channel_alerts WHERE message IS NULL"
        await eventually(lambda: harness.fetch("alerts", waiting), lambda rows: rows[0][0] == 0)
        await eventually(lambda: sent(alerts, "ops", "open", PLATFORM), lambda left: not left)
        told = [one["id"] for posted in receiver.posted for one in posted.events]
        assert len(told) == len(set(told)) == 1_002
        assert await receiver.count() <= 2 * schedule.BURST


async def test_a_receiver_that_is_away_is_tried_again_and_what_failed_is_kept(
    harness: Harness, everybody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "PAUSES", (timedelta(milliseconds=10),) * 2)
    async with receiving() as receiver, harness.running(create, Settings, "alerts", **LOCAL) as alerts:
        alerts.http.headers["Authorization"] = everybody
        await add(alerts, "hook", "webhook", url=f"{receiver.url}/hook")
        receiver.answers = [503, 500]
        await harness.send(of(storm("s-1", bounces=60, of_bounces=80), "e-1"))
        (message,) = await eventually(lambda: sent(alerts, "hook", "sent"))
        assert (message["attempts"], message["problem"], message["alerts"]) == (3, "", 1)
        assert {one.id for one in receiver.posted} == {message["id"]}  # so that a receiver knows a repeat
        receiver.answers = [500] * 3
        await harness.send(of(storm("s-2", bounces=60, of_bounces=80), "e-2"))
        (message,) = await eventually(lambda: sent(alerts, "hook", "failed"))
        assert (message["attempts"], message["problem"]) == (3, "HTTP 500")
        (channel,) = (await alerts.http.get("/v1/alert-channels", params={"tenant": TENANT})).json()["items"]
        assert (channel["last_state"], channel["last_problem"]) == ("failed", "HTTP 500")

        async def broken(*_: Any) -> Answer:
            raise LookupError("a text that is not there")

        monkeypatch.setattr(Transport, "send", broken)
        await harness.send(of(storm("s-3", bounces=60, of_bounces=80), "e-3"))
        failed = await eventually(lambda: sent(alerts, "hook", "failed"), lambda all_: len(all_) == 2)
        assert "could not be written: LookupError" in {one["problem"] for one in failed}


async def test_channels_are_added_changed_tried_and_removed(harness: Harness) -> None:
    """Secrets are shown once, or never; what is wrong is said at once."""
    async with receiving() as receiver, harness.running(create, Settings, "alerts", **LOCAL) as alerts:
        url = f"{receiver.url}/hook?token=very-secret"
        hook = await add(alerts, "hook", "webhook", url=url, quiet={"from": "22:00", "to": "07:00"})
        assert hook["secret"].startswith("whsec_")
        await add(alerts, "mail", "email", recipients=["kari@example.com"])
        listed = await alerts.http.get("/v1/alert-channels")
        assert [one["name"] for one in listed.json()["items"]] == ["hook", "mail"]
        one = await alerts.http.get("/v1/alert-channels/hook")
        assert (one.json()["host"], one.json()["quiet"]) == ("127.0.0.1", {"from": "22:00:00", "to": "07:00:00"})
        for answer in (listed, one):
            assert "very-secret" not in answer.text
            assert "whsec_" not in answer.text

        tried = (await alerts.http.post("/v1/alert-channels/hook/test")).json()
        assert (tried["good"], tried["status"]) == (True, 200)
        assert receiver.posted[0].events[0]["type"] == "returpost.alert.tested.v1"
        tried = (await alerts.http.post("/v1/alert-channels/mail/test")).json()
        assert (tried["good"], tried["problem"][:21]) == (False, "no mail server is set")

        seen = {"If-Match": one.headers["ETag"]}
        change = {"quiet": None, "severity": "warning", "enabled": False}
        changed = await alerts.http.patch("/v1/alert-channels/hook", json=change, headers=seen)
        assert changed.status_code == 200
        assert (changed.json()["quiet"], changed.json()["severity"], changed.json()["enabled"]) == (
            None,
            "warning",
            False,
        )
        assert (await alerts.http.patch("/v1/alert-channels/hook", json=change, headers=seen)).status_code == 412
        rotated = (await alerts.http.post("/v1/alert-channels/hook/rotate")).json()
        assert rotated["secret"] not in (None, hook["secret"])
        assert (await alerts.http.delete("/v1/alert-channels/hook")).status_code == 204
        assert (await alerts.http.get("/v1/alert-channels/hook")).status_code == 404

        for wrong, problem in (
            ({"kind": "email", "recipients": []}, "recipients"),
            ({"kind": "email", "recipients": ["kari@example.com\r\nBcc: eve@example.com"]}, "recipients"),
            ({"kind": "slack"}, "url"),
            ({"kind": "slack", "url": "https://192.168.1.1/x"}, "not public"),
            ({"kind": "slack", "url": "ftp://example.com/x"}, "https://"),
            ({"kind": "email", "recipients": ["a@example.com"], "tenants": ["other"]}, "tenants"),
            ({"kind": "email", "recipients": ["a@example.com"], "time_zone": "Europe/Nowhere"}, "time_zone"),
            ({"kind": "email", "recipients": ["a@example.com"], "quiet": {"from": "08:00", "to": "08:00"}}, "quiet"),
        ):
            answer = await alerts.http.post("/v1/alert-channels", json={"name": "x", **wrong})
            assert answer.status_code in (400, 422), answer.text
            assert problem in answer.text
        own = await alerts.http.get("/v1/alert-channels", params={"tenant": PLATFORM})
        assert own.status_code == 403


async def test_what_was_raised_is_listed_in_words(harness: Harness) -> None:
    async with harness.running(create, Settings, "alerts", console_url="https://console.example.com") as alerts:
        await harness.send(of(storm("s-1", bounces=60, of_bounces=80), "e-1"))
        await harness.send(of(storm("s-9", bounces=60, of_bounces=80), "e-9", "other"))

        async def listed() -> list[Any]:
            found: list[Any] = (await alerts.http.get("/v1/alerts", params={"language": "nb"})).json()["items"]
            return found

        (one,) = await eventually(listed)
        assert (one["kind"], one["severity"], one["facts"]["bounces"]) == ("storm_started", "critical", "60")
        assert (one["title"], one["link"]) == ("Storm av returmeldinger hos acme", "https://console.example.com/")
        now = datetime.now(UTC)
        about = {"mailing": "spring", "sender": "news", "time": now}
        breach = MailingBreached(
            **about, kind=BreachKind.COMPLAINTS, level=BreachLevel.PAUSE, count=4, of_results=1_000, threshold=0.003
        )
        await harness.send(of(breach, "b"))
        await harness.command(of(MailingPause(**about, by="/returpost/actions", kind=breach.kind), "p1"), detail="news")
        await harness.command(of(MailingPause(**about, by="kari", why="feil emne"), "p2"), detail="news")
        told = await eventually(listed, lambda seen: len(seen) == 3)
        assert {one["kind"] for one in told} == {"storm_started", "mailing_breached", "mailing_paused"}
        assert {one["link"] for one in told[:2]} == {"https://console.example.com/mailings/spring"}
