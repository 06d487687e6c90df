"""The whole story: a mailing bounces, its sender is told to pause it, its retries wait; a person resumes it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from returpost.client import ChangeStream, MailingPause, MailingResume, RetryConsumer, RetryRequested
from returpost.contracts import BounceReceived, Contract, DeliveryRecorded, Evidence, MailingBreached, Result
from returpost.contracts.cloudevents import Event
from services.actions import app as actions_app
from services.actions.settings import Settings as ActionsSettings
from services.classifier import app as classifier_app
from services.classifier.settings import Settings as ClassifierSettings
from tests.actions.builders import address, wrap
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

SOON = timedelta(milliseconds=20)
BEGAN = datetime.now(UTC) - timedelta(minutes=10)
GONE = Evidence(reply_code=550, status="5.1.1", diagnostic="550 5.1.1 user unknown")
FULL = Evidence(reply_code=452, status="4.2.2", diagnostic="452 4.2.2 mailbox full")
LIMITS = {
    "hard_bounces": {"warning": 0.05, "pause": 0.1},
    "complaints": {"warning": None, "pause": None},
    "sender_faults": {"warning": None, "pause": None},
    "least_results": 20,
    "window_hours": 72,
}


class Sender:
    """What a sending system does."""

    def __init__(self) -> None:
        self.paused: list[Event[MailingPause]] = []
        self.resumed: list[Event[MailingResume]] = []
        self.sent_again: list[Event[RetryRequested]] = []

    async def pause(self, command: Event[MailingPause]) -> None:
        self.paused.append(command)

    async def resume(self, command: Event[MailingResume]) -> None:
        self.resumed.append(command)

    async def send_again(self, command: Event[RetryRequested]) -> None:
        self.sent_again.append(command)


@pytest.fixture
async def services(harness: Harness) -> AsyncIterator[dict[str, RunningService]]:
    async with AsyncExitStack() as stack:
        retries = {"dispatch_interval": SOON, "retry_delays": "1s,1h", "retry_jitter": 0.0}
        actions = {"statistics_pause": SOON, "stop_signal_settle": timedelta(0)}
        yield {
            "actions": await stack.enter_async_context(
                harness.running(actions_app.create, ActionsSettings, "actions", **actions)
            ),
            "classifier": await stack.enter_async_context(
                harness.running(classifier_app.create, ClassifierSettings, "classifier", **retries)
            ),
        }


@pytest.fixture
async def sender(harness: Harness) -> AsyncIterator[Sender]:
    sender = Sender()
    consumer = RetryConsumer(harness.amqp_url, "news")
    following = asyncio.create_task(consumer.follow(sender.send_again, pause=sender.pause, resume=sender.resume))
    yield sender
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following


async def ingested(harness: Harness, result: Result, *recipients: int, evidence: Evidence | None = None) -> None:
    """Publish what ingest does."""
    for n in recipients:
        common: dict[str, Any] = {"mailing": "m1", "address": address(n), "time": BEGAN, "sender": "news"}
        await harness.send(wrap(DeliveryRecorded(**common, result=result)), detail=result)
        if evidence:
            await harness.send(wrap(BounceReceived(**common, evidence=evidence)))


async def read(service: RunningService, path: str) -> Any:
    return (await service.http.get(path)).raise_for_status().json()


async def retries(classifier: RunningService) -> dict[str, int]:
    found = await read(classifier, "/v1/retries/counts?mailing=m1")
    return {row["state"]: row["count"] for row in found["items"]}


async def test_mailing_is_paused_and_resumed(
    harness: Harness, services: dict[str, RunningService], sender: Sender
) -> None:
    actions, classifier = services["actions"], services["classifier"]
    known = await actions.http.get("/v1/stop-signals")
    assert known.json()["hard_bounces"] == {"warning": 0.05, "pause": 0.1}
    tag = {"If-Match": known.headers["ETag"]}
    saved = await actions.http.put("/v1/stop-signals", json=LIMITS | {"note": "a small list"}, headers=tag)
    assert saved.status_code == 200, saved.text
    assert (await actions.http.put("/v1/stop-signals", json=LIMITS, headers=tag)).status_code == 412

    await ingested(harness, Result.SENT, *range(40))
    await ingested(harness, Result.BOUNCED, *range(5), evidence=GONE)
    (pause,) = await eventually(lambda: asyncio.sleep(0, list(sender.paused)))
    assert (pause.tenant, pause.data.mailing, pause.data.kind, pause.data.by) == (
        TENANT, "m1", "hard_bounces", "/returpost/actions",
    )  # fmt: skip
    assert pause.data.why == "hard_bounces: 5 of 40 (12.50%), the limit is 10.00%"
    assert await breaches(harness) == [("hard_bounces", "pause", 5, 40), ("hard_bounces", "warning", 5, 40)]

    await eventually(lambda: pauses(harness), lambda found: found == 1)
    await ingested(harness, Result.DEFERRED, 30, evidence=FULL)
    assert await eventually(lambda: retries(classifier), lambda found: "paused" in found) == {"paused": 1}
    assert sender.sent_again == []

    state = await read(actions, "/v1/mailings/m1/stop-signals")
    assert (state["counts"]["sent"], state["counts"]["hard_bounces"], len(state["breaches"])) == (40, 5, 2)
    assert (state["pause"]["paused"], state["pause"]["kind"]) == (True, "hard_bounces")
    assert [one["mailing"] for one in (await read(actions, "/v1/paused-mailings"))["items"]] == ["m1"]
    tried = await actions.http.post("/v1/stop-signals/preview", json=LIMITS | {"least_results": 41})
    assert tried.json()["now"] == {"warned": 1, "paused": 1}
    assert tried.json()["would_be"] == {"warned": 0, "paused": 0}

    assert (await actions.http.post("/v1/mailings/m1/resume", json={"why": ""})).status_code == 422
    for _ in range(2):
        answer = await actions.http.post("/v1/mailings/m1/resume", json={"why": "list cleaned, not ann@example.com"})
        assert (answer.status_code, answer.json()["paused"]) == (200, False)
    (resume,) = await eventually(lambda: asyncio.sleep(0, list(sender.resumed)))
    assert (resume.data.by, resume.data.why) == ("test", "list cleaned, not [address]")
    (again,) = await eventually(lambda: asyncio.sleep(0, list(sender.sent_again)))
    assert (again.data.mailing, again.data.address) == ("m1", address(30))
    assert await retries(classifier) == {"requested": 1}
    assert (await read(actions, "/v1/paused-mailings"))["items"] == []

    await ingested(harness, Result.BOUNCED, *range(5, 10), evidence=GONE)
    await eventually(
        lambda: read(actions, "/v1/mailings/m1/stop-signals"), lambda found: found["counts"]["hard_bounces"] == 10
    )
    assert len(sender.paused) == 1, "what a person has resumed is not paused again for the same"
    audit = [(one["what"], one["who"]) for one in (await read(actions, "/v1/audit"))["items"]]
    assert audit == [("mailing_resumed", "test"), ("mailing_paused", "/returpost/actions")]

    assert (await actions.http.post("/v1/mailings/unknown/pause", json={"why": "x"})).status_code == 404
    assert (await actions.http.post("/v1/mailings/unknown/resume", json={"why": "x"})).status_code == 404
    by_hand = await actions.http.post("/v1/mailings/m1/pause", json={"why": "wrong subject"})
    assert (by_hand.json()["paused"], by_hand.json()["kind"]) == (True, None)
    await eventually(lambda: asyncio.sleep(0, len(sender.paused)), lambda told: told == 2)


async def breaches(harness: Harness) -> list[tuple[str, str, int, int]]:
    """Return what CRMs hear of."""
    found: list[tuple[str, str, int, int]] = []
    async with contextlib.aclosing(ChangeStream(harness.amqp_url, TENANT).read()) as parts:
        async for part in parts:
            said: list[Contract] = [event.data for event in part.events]
            found += [(d.kind, d.level, d.count, d.of_results) for d in said if isinstance(d, MailingBreached)]
            if len(found) == 2:
                break
    return sorted(found)


async def pauses(harness: Harness) -> int:
    return len(await harness.fetch("classifier", "SELECT FROM paused_mailings WHERE paused"))
