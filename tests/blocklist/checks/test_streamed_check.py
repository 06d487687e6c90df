"""The check of a file says the same as the check of a few, whatever the file is like."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from returpost.contracts.addresses import key, normalise
from returpost.errors import InvalidAddress
from services.blocklist.app import create
from services.blocklist.checks import bloom_filter, check, streamed_check
from services.blocklist.checks.streamed_check import batch_of
from services.blocklist.settings import Settings
from tests.support.harness import Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
async def blocklist(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "blocklist") as running:
        yield running


async def ask(
    running: RunningService, content: bytes, media_type: str = "text/plain", **query: str
) -> list[dict[str, Any]]:
    answer = await running.http.post("/v1/check", content=content, params=query, headers={"Content-Type": media_type})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def block(running: RunningService, *addresses: str) -> None:
    (await running.http.post("/v1/blocks", json={"addresses": addresses})).raise_for_status()


WRITTEN = ["ann@example.com", "dan@example.com", " Ann Berg <ANN@example.com> ", "bob@BLÅBÆR.example",
           "bob@xn--blbr-roah.example",
           "Cid@Example.com.", "no address", "x@example.com", "cid@example.com"]  # fmt: skip


async def test_the_same_as_for_a_few(blocklist: RunningService, monkeypatch: pytest.MonkeyPatch) -> None:
    await block(blocklist, "Ann@example.com", "bob@blåbær.example", "cid@example.com")
    few = (await blocklist.http.post("/v1/check", json={"addresses": WRITTEN})).json()
    skip, invalid = {one["address"].strip() for one in few["skip"]}, [one["address"] for one in few["invalid"]]
    assert skip == {WRITTEN[n].strip() for n in (0, 2, 3, 4, 5, 8)}
    assert invalid == ["no address"]
    text = ("\r\n".join(WRITTEN) + "\r\n\r\n").encode()
    bodies = [
        (text, "text/plain"),
        (("address\n" + "".join(f"{one}\n" for one in WRITTEN)).encode(), "text/csv"),
        ("".join(json.dumps({"address": one}) + "\n" for one in WRITTEN).encode(), "application/x-ndjson"),
    ]
    for filtered in (False, True):
        monkeypatch.setattr(streamed_check, "FEW_LINES", 0 if filtered else 1_000)
        for body, media_type in bodies:
            *lines, last = await ask(blocklist, body, media_type)
            assert {one["address"].strip() for one in lines if one.get("skip")} == skip
            assert [one["address"] for one in lines if "problem" in one] == invalid
            assert last == {"checked": 9, "skip": 6, "invalid": 1}
        *lines, last = await ask(blocklist, text, answer="all")
        assert [one["address"].strip() for one in lines] == [one.strip() for one in WRITTEN]
        assert {one["address"] for one in lines if one.get("skip") is False} == {"dan@example.com", "x@example.com"}


async def test_what_is_blocked_since_the_filter_was_made_is_found(
    blocklist: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streamed_check, "FEW_LINES", 0)
    monkeypatch.setattr(bloom_filter, "FRESH", 0.0)
    monkeypatch.setattr(bloom_filter, "MIN_ADDRESSES", 1 << 10)
    lines = "".join(f"U{n}@example.com\n" for n in range(20_000)).encode()
    assert await ask(blocklist, lines) == [{"checked": 20_000, "skip": 0, "invalid": 0}]
    for start in (0, 5_000, 10_000):
        await block(blocklist, *(f"u{n}@example.com" for n in range(start, start + 3_000)))
        *skip, last = await ask(blocklist, lines)
        assert last["skip"] == len(skip) == 3_000 * (1 + start // 5_000)
    assert skip[0]["address"] == "U0@example.com"
    (await blocklist.http.post("/v1/blocks/clear", json={"addresses": ["u0@example.com"]})).raise_for_status()
    *skip, last = await ask(blocklist, lines)
    assert (last["skip"], skip[0]["address"]) == (8_999, "U1@example.com")


async def test_a_file_may_be_longer_than_a_request_with_json(blocklist: RunningService) -> None:
    await block(blocklist, "u7@example.com")

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, 1_500_000, 10_000):
            yield b"".join(b"someone.%d@example.com\n" % n for n in range(start, start + 10_000))
        yield b"u7@example.com"

    answer = await blocklist.http.post("/v1/check", content=pieces(), headers={"Content-Type": "text/plain"})
    *skip, last = [json.loads(line) for line in answer.text.splitlines()]
    assert [one["address"] for one in skip] == ["u7@example.com"]
    assert last == {"checked": 1_500_001, "skip": 1, "invalid": 0}
    too_long = await blocklist.http.post("/v1/check", content=b"x" * 3_000_000, headers={"Content-Type": "text/plain"})
    assert too_long.status_code == 422


@pytest.mark.parametrize(
    "line",
    ["ann@example.com", "ANN+tag@Sub.Example.co.uk", "a@b", "a@b.c", "a.@b.c", ".a@b.c", "a@b.c.", "a@-b.c", "a@b-.c",
     "a@b..c",
     "@b.c", "a@", "a@b@c.d", "x" * 64 + "@example.com", "x" * 65 + "@example.com", "a@" + "b" * 63 + ".com",
     "a@" + "b" * 64 + ".com", "a_b@c.d", "a@b_c.d", "a@1.2", "a b@c.d", "å@b.c", "a@å.c"],
)  # fmt: skip
async def test_the_quick_way_reads_a_line_as_the_slow_one_does(line: str) -> None:
    batch = await batch_of(f"{line}\n".encode())
    try:
        wanted = [key(normalise(line))]
    except InvalidAddress:
        wanted = [""]
    assert batch.keys == wanted
    assert set(batch.problems) == ({0} if wanted == [""] else set())
    assert batch.lines == [line]


async def test_many_at_once_are_told_what_was_blocked_a_moment_ago(
    blocklist: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "MANY", 2)
    bloom_filters = blocklist.service.app.state.bloom_filters
    asked = [f"u{n}@example.com" for n in range(20)]
    for n, address in enumerate(asked):
        await block(blocklist, address)
        monkeypatch.setattr(bloom_filter, "QUICK", 5 if n > 10 else 2_000)  # the filter is asked, then passed by
        answer = await blocklist.http.post("/v1/check", json={"addresses": [*asked, "no address"]})
        assert sorted(one["address"] for one in answer.json()["skip"]) == sorted(asked[: n + 1])
        assert [one["address"] for one in answer.json()["invalid"]] == ["no address"]
        if n == 0:
            await eventually(lambda: bloom_filters.at_hand("demo"), lambda found: found is not None)
