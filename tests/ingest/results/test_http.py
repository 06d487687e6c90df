"""Results over HTTP: one, many, lines or CloudEvents; a wrong row is named and stops no other."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from returpost.bounces.events.rows import MAX_RESULTS
from returpost.contracts import ids
from returpost.contracts.routing import DEAD_LETTERS
from services.ingest.app import create
from services.ingest.results.http import MAX_REFUSALS
from services.ingest.settings import Settings
from shared.http.max_body import MAX_BODY
from tests.ingest.probes import BOUNCED, RECORDED, cloud, receive_events, row
from tests.support.harness import TENANT, Harness, RunningService

pytestmark = [pytest.mark.anyio, pytest.mark.services]

PATH = "/v1/delivery-results"


@pytest.fixture
async def ingest(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "ingest") as running:
        yield running


async def post(running: RunningService, value: Any, type_: str = "application/json", **headers: str) -> httpx.Response:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return await running.http.post(PATH, content=content, headers={"Content-Type": type_, **headers})


def lines(*rows: dict[str, Any], end: bytes = b"\n") -> bytes:
    return end.join(json.dumps(one).encode() for one in rows)


FORMS: dict[str, tuple[bytes, str, int]] = {
    "object": (json.dumps(row(0)).encode(), "application/json", 1),
    "indented": (b"\n " + json.dumps(row(0), indent=2).encode() + b"\n", "application/json", 1),
    "mark": (b"\xef\xbb\xbf" + json.dumps([row(0), row(1)]).encode(), "application/json", 2),
    "list": (json.dumps([row(0), row(1)]).encode(), "application/json", 2),
    "lines": (lines(row(0), row(1)) + b"\n\n", "application/x-ndjson", 2),
    "windows-lines": (lines(row(0), row(1), end=b"\r\n"), "application/jsonl; charset=utf-8", 2),
    "cloudevent": (json.dumps(cloud(0)).encode(), "application/cloudevents+json", 1),
    "cloudevents": (json.dumps([cloud(0), cloud(1)]).encode(), "application/cloudevents-batch+json", 2),
    "mixed": (json.dumps([row(0), cloud(1)]).encode(), "text/plain", 2),
}


async def test_results_come_in_many_forms(harness: Harness, ingest: RunningService, subtests: pytest.Subtests) -> None:
    for form, (body, type_, number) in FORMS.items():
        with subtests.test(form):
            answer = await post(ingest, body, type_)
            assert (answer.status_code, answer.json()) == (202, {"accepted": number, "refused": 0, "errors": []})
            for queue in (RECORDED, BOUNCED):
                told = await receive_events(harness, queue, number)
                assert {one["data"]["address"] for one in told} == {f"u{n}@example.com" for n in range(number)}
                assert {one["tenant"] for one in told} == {TENANT}


async def test_repeats_and_ways_in_have_the_same_ids(harness: Harness, ingest: RunningService) -> None:
    for value in (row(1), [row(1)], row(2, id="n-2"), row(2, id="n-2", diagnostic="other words")):
        assert (await post(ingest, value)).status_code == 202
    assert len({one["id"] for one in await receive_events(harness, RECORDED, 4)}) == 2
    await post(ingest, cloud(3))
    (told,) = await receive_events(harness, RECORDED, 1)
    assert told["id"] == ids.derived(ids.of_input(TENANT, "/senders/news", "r-3"), told["type"])


def soon() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


WRONG: dict[str, tuple[Any, str]] = {
    "address": (row(9, address="nobody"), "address"),
    "result": (row(9, result="exploded"), "result"),
    "time": (row(9, time="yesterday"), "time"),
    "future": (row(9, time=soon()), "data.time"),
    "missing": ({"mailing": "m"}, "address"),
    "surrogate": (row(9, diagnostic="\ud800"), "diagnostic"),
    "surrogate-id": (row(9, id="\ud800"), "id"),
    "empty-id": (row(9, id=""), "id"),
    "number-id": (row(9, id=7), "id"),
    "long-id": (row(9, id="x" * 201), "id"),
    "control-id": (row(9, id="a\nb"), "id"),
    "nul": (row(9, mailing="\u0000"), "mailing"),
    "event-type": (cloud(9, {"type": "returpost.delivery.recorded.v1"}), "type"),
    "event-tenant": (cloud(9, {"tenant": "rival"}), "tenant"),
    "event-no-tenant": (cloud(9, {"tenant": None}), "tenant"),
    "event-no-data": (cloud(9, {"data": None}), "data"),
    "event-address": (cloud(9, address="nobody"), "data.address"),
    "list": ([], "not an object"),
    "number": (17, "not an object"),
}


async def test_a_wrong_row_is_named_and_stops_no_other(
    harness: Harness, ingest: RunningService, subtests: pytest.Subtests
) -> None:
    for case, (wrong, names) in WRONG.items():
        with subtests.test(case):
            answer = await post(ingest, [row(0), wrong, row(2)])
            assert answer.status_code == 202
            said = answer.json()
            assert (said["accepted"], said["refused"]) == (2, 1)
            (error,) = said["errors"]
            assert error["field"] == "[1]"
            assert names in error["problem"]
            assert "nobody" not in error["problem"]
            told = await receive_events(harness, RECORDED, 2)
            assert {one["data"]["address"] for one in told} == {"u0@example.com", "u2@example.com"}


async def test_a_line_that_is_no_json_is_named(harness: Harness, ingest: RunningService) -> None:
    body = lines(row(0)) + b"\n{\n\xff\xfe\n" + b"[" * 100_000 + b"\n" + lines(row(4), row(5, time=soon()))
    answer = await post(ingest, body, "application/x-ndjson")
    assert answer.status_code == 202
    said = answer.json()
    assert (said["accepted"], said["refused"]) == (2, 4)
    assert [error["field"] for error in said["errors"]] == ["[1]", "[2]", "[3]", "[5]"]
    await receive_events(harness, RECORDED, 2)


async def test_many_wrong_rows_are_counted_and_the_first_are_named(ingest: RunningService) -> None:
    answer = await post(ingest, [row(0), *({"n": n} for n in range(300))])
    said = answer.json()
    assert (said["accepted"], said["refused"], len(said["errors"])) == (1, 300, MAX_REFUSALS)


async def test_a_body_that_holds_no_results_is_refused(ingest: RunningService, subtests: pytest.Subtests) -> None:
    for value, type_, names in (
        (b"", "application/json", "empty"),
        (b" \n ", "application/json", "empty"),
        (b"\n\n", "application/x-ndjson", "empty"),
        (b"[]", "application/json", "empty"),
        (b"[{}, ", "application/json", "not a JSON array"),
        (b"[" + b"1," * MAX_RESULTS + b"1]", "application/json", "at most"),
    ):
        with subtests.test(names, body=value[:10]):
            answer = await post(ingest, value, type_)
            assert answer.status_code == 422
            assert answer.headers["content-type"] == "application/problem+json"
            assert names in answer.json()["title"]


async def test_when_no_row_is_right_it_is_refused(harness: Harness, ingest: RunningService) -> None:
    answer = await post(ingest, [{}, row(1, address="nobody")])
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["[0]", "[1]"]
    assert await harness.depth(RECORDED) == await harness.depth(DEAD_LETTERS) == 0


async def test_a_body_that_is_too_large_is_refused(ingest: RunningService) -> None:
    answer = await post(ingest, b" " * (MAX_BODY + 1))
    assert answer.status_code == 413

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY // 1_000_000 + 2):
            yield b" " * 1_000_000

    answer = await ingest.http.post(PATH, content=parts())
    assert answer.status_code == 413


async def test_rights(harness: Harness, ingest: RunningService) -> None:
    reader = {"Authorization": f"Bearer {harness.token(scopes=('read', 'write'))}"}
    rival = {"Authorization": f"Bearer {harness.token(tenant='rival')}"}
    everybody = {"Authorization": f"Bearer {harness.token(tenant='*')}"}
    asked = {"tenant": TENANT}
    for path in (PATH, "/v1/bounce-mails"):
        for headers, params, status in (
            ({"Authorization": ""}, {}, 401),
            ({"Authorization": "Bearer x.y.z"}, {}, 401),
            (reader, {}, 403),
            (rival, asked, 403),
            (everybody, {}, 400),
            (everybody, {"tenant": "No Name"}, 422),
        ):
            answer = await ingest.http.post(path, json=row(1), headers=headers, params=params)
            assert answer.status_code == status, (path, params)
    assert await harness.depth(RECORDED) == await harness.depth(DEAD_LETTERS) == 0
    assert (await ingest.http.post(PATH, json=row(1), headers=everybody, params=asked)).status_code == 202
    assert (await ingest.http.post(PATH, json=row(1), headers=rival)).status_code == 202
    own, others = await receive_events(harness, RECORDED, 2)
    assert (own["tenant"], others["tenant"]) == (TENANT, "rival")
    assert own["id"] != others["id"]


async def test_the_callers_trace_is_carried_into_the_events(harness: Harness, ingest: RunningService) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    await post(ingest, row(1), traceparent=f"00-{trace}-b7ad6b7169203331-01")
    for queue in (RECORDED, BOUNCED):
        (told,) = await receive_events(harness, queue, 1)
        assert told["traceparent"].split("-")[1] == trace
    for wrong in ("", "nonsense", "00-zz-1-01"):
        await post(ingest, row(1), traceparent=wrong)
        (told,) = await receive_events(harness, RECORDED, 1)
        assert "traceparent" not in told
