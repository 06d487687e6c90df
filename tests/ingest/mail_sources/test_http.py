"""Bounce mails over HTTP: what the answer says is what the events say."""

from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from deploy.demo.samples import Expectation, expectations, paths
from returpost.contracts.routing import DEAD_LETTERS
from services.ingest.app import create
from services.ingest.mail_sources.ingestion import MAX_MAIL
from services.ingest.settings import Settings
from tests.ingest.probes import BOUNCED, RECORDED, receive_events
from tests.support.harness import Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

SAMPLES = {path.name: path.read_bytes() for path in paths()}
EXPECTED: dict[str, list[Expectation]] = defaultdict(list)
for expectation in expectations():
    EXPECTED[expectation.file].append(expectation)
RESULTS = {
    "failure": "bounced",
    "delayed": "deferred",
    "delivered": "delivered",
    "complaint": "complained",
    "unsubscribe": "unsubscribed",
}
BOUNCE = SAMPLES["postfix-user-unknown.eml"]


@pytest.fixture
async def ingest(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "ingest") as running:
        yield running


async def post(running: RunningService, body: bytes, **query: str) -> httpx.Response:
    headers = {"Content-Type": "message/rfc822"}
    return await running.http.post("/v1/bounce-mails", content=body, headers=headers, params=query)


async def test_every_sample_is_answered_and_told_as_meant(harness: Harness, ingest: RunningService) -> None:
    for name, body in SAMPLES.items():
        expected = EXPECTED[name]
        answer = await post(ingest, body)
        assert answer.status_code == 202, name
        said = answer.json()
        assert said["recognised"] is True, name
        reports = {(r["address"], r["original_recipient"], r["kind"], r["status"]) for r in said["reports"]}
        assert reports == {(e.recipient, e.original_recipient, e.kind, e.status) for e in expected}, name
        received = await receive_events(harness, BOUNCED, len(expected))
        assert {(e["data"]["address"], e["data"]["evidence"]["kind"]) for e in received} == {
            (e.recipient, e.kind) for e in expected
        }, name
        wanted = {(e.recipient, RESULTS[e.kind]) for e in expected if e.kind in RESULTS}
        recorded = await receive_events(harness, RECORDED, len(wanted)) if wanted else []
        assert {(e["data"]["address"], e["data"]["result"]) for e in recorded} == wanted, name
    assert await harness.depth(RECORDED) == await harness.depth(DEAD_LETTERS) == 0


async def test_the_same_mail_again_has_the_same_ids(harness: Harness, ingest: RunningService) -> None:
    answers = [(await post(ingest, BOUNCE)).json() for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert len({one["id"] for one in await receive_events(harness, BOUNCED, 3)}) == 1
    assert len({one["id"] for one in await receive_events(harness, RECORDED, 3)}) == 1


async def test_for_whom_it_was_received_and_what_kind_of_mail_may_be_told_beside_it(
    harness: Harness, ingest: RunningService
) -> None:
    body = b"From: MAILER-DAEMON@mx.example\r\nSubject: failure notice\r\n\r\n550 5.1.1 no such user\r\n"
    await post(ingest, body, sent_to="bounces+m-77+eve=example.net@bounces.example.com", stream="service")
    (told,) = await receive_events(harness, BOUNCED, 1)
    assert (told["data"]["address"], told["data"]["mailing"]) == ("eve@example.net", "m-77")
    assert told["data"]["stream"] == "service"
    received = (
        b"Received: from a by b for <bounces+m-78+eve=example.net@example.com>; Mon, 9 Nov 2026 08:00:00 +0100\r\n"
    )
    await post(ingest, received + body)
    (told,) = await receive_events(harness, BOUNCED, 1)
    assert (told["data"]["address"], told["data"]["mailing"]) == ("eve@example.net", "m-78")
    assert (await post(ingest, body, sent_to="x" * 601)).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        b"From: a@example.com\nTo: b@example.com\nSubject: Hello\n\nHow are you?\n",
        b"\x00\xff\xfe no mail at all",
        b"\n",
    ],
    ids=["letter", "bytes", "nothing"],
)
async def test_a_mail_that_says_nothing_is_kept_as_a_dead_letter(
    harness: Harness, ingest: RunningService, body: bytes
) -> None:
    answer = await post(ingest, body)
    assert answer.status_code == 202
    assert (answer.json()["recognised"], answer.json()["reports"]) == (False, [])
    await eventually(lambda: harness.depth(DEAD_LETTERS), lambda depth: depth == 1)
    (letter,) = await harness.take(DEAD_LETTERS)
    assert letter.body == body
    assert letter.content_type == "message/rfc822"
    assert letter.headers["x-returpost-routing-key"] == "bounce-mail.acme"
    assert await harness.depth(BOUNCED) == await harness.depth(RECORDED) == 0


async def test_the_sender_is_the_one_that_is_named(
    harness: Harness, ingest: RunningService, subtests: pytest.Subtests
) -> None:
    cases: tuple[tuple[str | None, dict[str, str], str], ...] = (
        (None, {}, "default"),
        ("news", {}, "news"),
        ("news", {"sender": "alerts"}, "alerts"),
        (None, {"sender": "alerts"}, "alerts"),
        ("No Name", {}, "default"),
    )
    for header, query, sender in cases:
        with subtests.test(header=header, query=query):
            named = f"X-Returpost-Sender: {header}\n".encode() if header else b""
            body = BOUNCE.replace(b"\r\n", b"\n").replace(b"X-Returpost-Mailing:", named + b"X-Returpost-Mailing:")
            assert (named in body) or not named
            assert (await post(ingest, body, **query)).status_code == 202
            for queue in (RECORDED, BOUNCED):
                (told,) = await receive_events(harness, queue, 1)
                assert told["data"]["sender"] == sender


@pytest.mark.parametrize("date", ["future", "none", "past"])
async def test_it_happened_when_the_mail_was_written(harness: Harness, ingest: RunningService, date: str) -> None:
    lines = BOUNCE.replace(b"\r\n", b"\n").split(b"\n")
    at = next(n for n, line in enumerate(lines) if line.startswith(b"Date:"))
    before = datetime.now(UTC).replace(microsecond=0)
    moments = {"future": before + timedelta(days=400), "past": before - timedelta(days=400)}
    lines[at : at + 1] = [b"Date: " + format_datetime(moments[date]).encode()] if date in moments else []
    assert (await post(ingest, b"\n".join(lines))).status_code == 202
    (told,) = await receive_events(harness, BOUNCED, 1)
    time = datetime.fromisoformat(told["data"]["time"])
    if date == "past":
        assert time == moments["past"]
    else:
        assert before <= time <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("body", "query", "status"),
    [
        (b"", {}, 422),
        (b" " * (MAX_MAIL + 1), {}, 413),
        (BOUNCE, {"sender": "No Name"}, 422),
    ],
    ids=["empty", "large", "sender"],
)
async def test_what_is_refused(
    harness: Harness, ingest: RunningService, body: bytes, query: dict[str, str], status: int
) -> None:
    answer = await post(ingest, body, **query)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert await harness.depth(BOUNCED) == await harness.depth(DEAD_LETTERS) == 0


async def test_the_callers_trace_is_carried_into_the_events(harness: Harness, ingest: RunningService) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers: dict[str, Any] = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    await ingest.http.post("/v1/bounce-mails", content=BOUNCE, headers=headers)
    (told,) = await receive_events(harness, BOUNCED, 1)
    assert told["traceparent"].split("-")[1] == trace
