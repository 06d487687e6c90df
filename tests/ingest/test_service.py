"""The service over the broker: what senders hand in becomes events; what is wrong becomes a dead letter."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from returpost.contracts import BounceReceived, DeliveryRecorded, ids
from returpost.contracts.enums import Result
from returpost.contracts.routing import COMMANDS, DEAD_LETTERS
from services.ingest.app import create
from services.ingest.settings import Settings
from tests.ingest.probes import BOUNCED, RECORDED, TIME, cloud, receive_events, record_routing_keys
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

KEY = f"delivery.result.{TENANT}.news"


@pytest.fixture
async def ingest(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "ingest") as running:
        yield running


async def hand_in(harness: Harness, value: Any, key: str = KEY) -> None:
    await harness.publish(COMMANDS, key, value if isinstance(value, bytes) else json.dumps(value).encode())


async def test_a_bounce_becomes_a_result_and_a_bounce(harness: Harness, ingest: RunningService) -> None:
    await hand_in(harness, cloud(1, contact="c-1", attempt=2, remote_mta="mx.example.com"))
    (recorded,), (received,) = await receive_events(harness, RECORDED, 1), await receive_events(harness, BOUNCED, 1)
    identity = ids.of_input(TENANT, "/senders/news", "r-1")
    for told, contract in ((recorded, DeliveryRecorded), (received, BounceReceived)):
        assert told["id"] == ids.derived(identity, contract.TYPE)
        assert (told["type"], told["tenant"], told["subject"]) == (contract.TYPE, TENANT, "m-1")
        assert told["source"] == "/returpost/ingest"
    assert recorded["data"] == {
        "mailing": "m-1",
        "address": "u1@example.com",
        "result": "bounced",
        "time": TIME,
        "sender": "news",
        "contact": "c-1",
    }
    assert received["data"]["attempt"] == 2
    evidence = received["data"]["evidence"]
    assert (evidence["reply_code"], evidence["status"]) == (550, "5.1.1")
    assert (evidence["diagnostic"], evidence["remote_mta"]) == ("550 5.1.1 user unknown", "mx.example.com")


async def test_every_result_goes_out_under_its_own_key(harness: Harness, ingest: RunningService) -> None:
    listening = await record_routing_keys(harness, "#")
    await hand_in(harness, [cloud(n, result=result) for n, result in enumerate(Result)])
    await receive_events(harness, RECORDED, len(Result))
    (bounce,) = await receive_events(harness, BOUNCED, 1)
    assert bounce["data"]["address"] == f"u{list(Result).index(Result.BOUNCED)}@example.com"
    found = dict([await listening.get() for _ in range(len(Result) + 1)])
    assert {key for key in found if key.startswith("delivery")} == {f"delivery.recorded.{TENANT}.{r}" for r in Result}
    for key, body in found.items():
        if key.startswith("delivery"):
            assert key.endswith(f".{body['data']['result']}")
    assert f"bounce.received.{TENANT}" in found


async def test_repeats_have_the_same_ids(harness: Harness, ingest: RunningService) -> None:
    for _ in range(5):
        await hand_in(harness, cloud(1))
        await hand_in(harness, [cloud(1), cloud(2)])
    assert len({one["id"] for one in await receive_events(harness, RECORDED, 15)}) == 2
    assert len({one["id"] for one in await receive_events(harness, BOUNCED, 15)}) == 2


async def test_an_address_is_normalised_and_a_time_is_utc(harness: Harness, ingest: RunningService) -> None:
    await hand_in(harness, cloud(1, address=" Ann@B\u00dcCHER.example. ", time="2026-01-02T05:04:05+02:00"))
    (recorded,) = await receive_events(harness, RECORDED, 1)
    assert (recorded["data"]["address"], recorded["data"]["time"]) == ("Ann@xn--bcher-kva.example", TIME)


def soon(**delta: int) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()


BAD: dict[str, tuple[Any, str]] = {
    "future": (cloud(9, time=soon(hours=1)), "data.time"),
    "time-without-offset": (cloud(9, time="2026-01-02T03:04:05"), "data.time"),
    "tenant": (cloud(9, {"tenant": "rival"}), "tenant"),
    "version": (cloud(9, {"type": "returpost.delivery.result.v9"}), "type"),
    "type": (cloud(9, {"type": "returpost.block.set.v1"}), "type"),
    "specversion": (cloud(9, {"specversion": "0.3"}), "specversion"),
    "id": (cloud(9, {"id": ""}), "id"),
    "address": (cloud(9, address="nobody"), "data.address"),
    "result": (cloud(9, result="exploded"), "data.result"),
    "nul": (cloud(9, mailing="a\u0000b"), "data.mailing"),
    "reply-code": (cloud(9, reply_code=99), "data.reply_code"),
    "no-event": ({"id": "r-9"}, "source: Field required"),
    "text": ("junk", "message"),
    "number": (17, "message"),
    "null": (None, "message"),
}


@pytest.mark.parametrize("batched", [False, True], ids=["single", "in-a-batch"])
async def test_what_is_wrong_is_kept_to_the_byte_and_the_rest_goes_on(
    harness: Harness, ingest: RunningService, subtests: pytest.Subtests, batched: bool
) -> None:
    for case, (bad, names) in BAD.items():
        with subtests.test(case):
            await is_kept(harness, bad, names, batched=batched)


async def is_kept(harness: Harness, bad: Any, names: str, *, batched: bool) -> None:
    exact = json.dumps(bad, indent=2, ensure_ascii=False).encode() if bad != "junk" else b'"junk\\u00e6"'
    if batched:
        good = [json.dumps(cloud(n)).encode() for n in (1, 2)]
        await hand_in(harness, b" [" + good[0] + b" ,\n" + exact + b"," + good[1] + b"]")
    else:
        await hand_in(harness, exact)
        await hand_in(harness, [cloud(1), cloud(2)])
    told = await receive_events(harness, RECORDED, 2)
    assert {one["data"]["address"] for one in told} == {"u1@example.com", "u2@example.com"}
    await eventually(lambda: harness.depth(DEAD_LETTERS), lambda depth: depth == 1)
    (letter,) = await harness.take(DEAD_LETTERS)
    assert letter.body == exact
    assert names in str(letter.headers["x-returpost-error"])
    assert letter.headers["x-returpost-queue"] == "ingest.delivery-result"
    assert letter.headers["x-returpost-routing-key"] == KEY


async def test_a_clock_that_is_a_little_ahead_is_forgiven(harness: Harness, ingest: RunningService) -> None:
    await hand_in(harness, [cloud(1, time=soon(minutes=10)), cloud(2, time=soon(minutes=20))])
    (told,) = await receive_events(harness, RECORDED, 1)
    assert told["data"]["address"] == "u1@example.com"
    await eventually(lambda: harness.depth(DEAD_LETTERS), lambda depth: depth == 1)


async def test_a_trace_is_carried_on(harness: Harness, ingest: RunningService) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    await hand_in(harness, cloud(1, {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}))
    for queue in (RECORDED, BOUNCED):
        (told,) = await receive_events(harness, queue, 1)
        assert told["traceparent"].split("-")[1] == trace


async def test_health_and_metrics(harness: Harness, ingest: RunningService) -> None:
    await hand_in(harness, [cloud(1), cloud(2)])
    await receive_events(harness, RECORDED, 2)
    health = await ingest.http.get("/health/ready")
    assert health.status_code == 200
    assert health.json()["ok"] is True
    assert "ingest.delivery-result" in health.json()["consumers"]
    assert (await ingest.http.get("/health/live")).json() == {"ok": True}
    ingest.http.headers.pop("Authorization")
    counted = 'returpost_events_in_total{outcome="processed",queue="ingest.delivery-result"}'
    metrics = await eventually(lambda: ingest.http.get("/metrics"), lambda answer: counted in answer.text)
    assert "@" not in metrics.text


def test_the_document_names_all_that_goes_in_and_out() -> None:
    document = str(create(Settings()).asyncapi())
    for name in ("delivery.recorded.{tenant}.{result}", "bounce.received.{tenant}", "ingest.delivery-result"):
        assert name in document
