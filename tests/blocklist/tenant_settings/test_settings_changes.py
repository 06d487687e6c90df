"""Settings as an administrator has them: try out, change, undo, look back."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.blocklist.app import create
from services.blocklist.settings import Settings
from tests.blocklist.address_state.model import Input, message
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
async def blocklist(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "blocklist") as running:
        for n in range(4):
            given = [Input("full", n, m, f"m{m}") for m in range(2 * n)]
            if given:
                await harness.send(*(message(one, TENANT) for one in given))
        await harness.send(message(Input("dead", 9, 1, "m1"), TENANT))
        await eventually(lambda: counts(running), lambda seen: seen["done"] == 4)
        yield running


async def counts(running: RunningService) -> dict[str, Any]:
    return await preview(running, {})


async def preview(running: RunningService, change: dict[str, Any]) -> dict[str, Any]:
    answer = await running.http.post("/v1/settings/preview", json=change)
    assert answer.status_code == 202, answer.text
    return await operation(running, answer.json()["id"])


async def operation(running: RunningService, id_: str) -> dict[str, Any]:
    async def look() -> Any:
        return (await running.http.get(f"/v1/jobs/{id_}")).json()

    found: dict[str, Any] = await eventually(look, lambda seen: seen["finished_at"] is not None)
    return found


async def blocked(running: RunningService) -> set[str]:
    page = (await running.http.get("/v1/blocks")).json()
    return {row["address"] for row in page["items"]}


async def put(running: RunningService, change: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = await running.http.put("/v1/settings", json=change, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    await operation(running, found["job"]["id"])
    return found


async def test_preview_tells_what_saving_then_does_and_undo_takes_back(blocklist: RunningService) -> None:
    before = await blocked(blocklist)
    assert before == {"u3@example.com", "u9@example.com"}
    change = {"accepted_bounces": 3, "reasons": {"user_unknown": "count"}}
    tried = (await preview(blocklist, change))["result"]
    assert (tried["blocked"], tried["freed"]) == (1, 1)
    assert {row["reason"]: (row["blocked"], row["freed"]) for row in tried["by_reason"]} == {
        "mailbox_full": (1, 0),
        "user_unknown": (0, 1),
    }
    assert tried["by_domain"] == [{"domain": "example.com", "blocked": 1, "freed": 1}]
    assert {(row["address"], row["would_be"]) for row in tried["sample"]} == {
        ("u2@example.com", "blocked"),
        ("u9@example.com", "freed"),
    }
    assert await blocked(blocklist) == before
    saved = await put(blocklist, {**change, "note": "too many stay"})
    assert await blocked(blocklist) == {"u2@example.com", "u3@example.com"}
    done = await operation(blocklist, saved["job"]["id"])
    assert {name: done[name] for name in ("state", "total", "done", "blocked", "freed", "by", "note")} == {
        "state": "finished",
        "total": 4,
        "done": 4,
        "blocked": 1,
        "freed": 1,
        "by": "test",
        "note": "too many stay",
    }
    undone = (await blocklist.http.post("/v1/settings/undo", json={})).json()
    assert undone["version"] == 2
    await operation(blocklist, undone["job"]["id"])
    assert await blocked(blocklist) == before


async def test_the_history_says_who_changed_what_when_and_why(blocklist: RunningService) -> None:
    await put(blocklist, {"decay_days": 90, "expiry_days": [1, 2, 4], "note": "gentler"})
    await put(blocklist, {"streams": {"service": ["complaint"]}, "counting": "all"})
    await put(blocklist, {"decay_days": None, "once_a_day": True, "streams": {"service": []}})
    answer = (await blocklist.http.get("/v1/settings/history", params={"limit": 2})).json()
    assert [version["version"] for version in answer["items"]] == [3, 2]
    assert {one["name"]: (one["old"], one["new"]) for one in answer["items"][0]["changes"]} == {
        "decay_days": ("90", "off"),
        "once_a_day": ("off", "on"),
        "streams.service": ("complaint", None),
    }
    rest = (await blocklist.http.get("/v1/settings/history", params={"cursor": answer["next_cursor"]})).json()
    (first,) = rest["items"]
    assert (first["changed_by"], first["note"], rest["next_cursor"]) == ("test", "gentler", None)
    assert {one["name"]: one["new"] for one in first["changes"]} == {"decay_days": "90", "expiry_days": "1,2,4"}


async def test_nobody_overwrites_what_he_has_not_seen(blocklist: RunningService) -> None:
    seen = (await blocklist.http.get("/v1/settings")).headers["ETag"]
    await put(blocklist, {"accepted_bounces": 4}, **{"If-Match": seen})
    answer = await blocklist.http.put("/v1/settings", json={"accepted_bounces": 9}, headers={"If-Match": seen})
    assert answer.status_code == 412
    now = await blocklist.http.get("/v1/settings")
    assert (now.json()["accepted_bounces"], now.headers["ETag"]) == (4, '"1"')


async def test_a_spared_stream_is_mailed_all_the_same(harness: Harness, blocklist: RunningService) -> None:
    await put(blocklist, {"streams": {"service": ["complaint"]}})
    await harness.send(message(Input("complaint", 5, 1, "m1"), TENANT), detail="complained")

    async def skipped(stream: str | None) -> list[str]:
        asked = {"addresses": ["u5@example.com", "u9@example.com"], "stream": stream}
        answer = (await blocklist.http.post("/v1/check", json=asked)).json()
        return [row["address"] for row in answer["skip"]]

    both = ["u5@example.com", "u9@example.com"]
    await eventually(lambda: skipped(None), lambda seen: seen == both)
    assert await skipped("marketing") == both
    assert await skipped("service") == ["u9@example.com"]


WRONG: list[dict[str, Any]] = [
    {"decay_days": 0},
    {"expiry_days": [0]},
    {"expiry_days": 5},
    {"counting": "some"},
    {"streams": {"Service!": ["complaint"]}},
    {"streams": {"service": ["weather"]}},
    {"reasons": {"ip_blocked": "block"}},
    {"accepted_bounce": 5},
]


async def test_what_cannot_be_set_cannot_be_tried_either(blocklist: RunningService) -> None:
    for wrong in WRONG:
        for method, path in (("PUT", "/v1/settings"), ("POST", "/v1/settings/preview")):
            answer = await blocklist.http.request(method, path, json=wrong)
            assert answer.status_code == 422, wrong
    assert (await blocklist.http.get("/v1/settings")).json()["version"] == 0


async def test_there_is_nothing_before_the_first_version(blocklist: RunningService) -> None:
    for wanted in ({}, {"version": 7}):
        assert (await blocklist.http.post("/v1/settings/undo", json=wanted)).status_code == 422
