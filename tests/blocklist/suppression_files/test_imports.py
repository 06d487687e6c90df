"""Imports and exports over HTTP and the real database: whole or not at all, a report a row, on after a crash."""

import asyncio
import contextlib
import json
import operator
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import pytest

from services.blocklist.app import create
from services.blocklist.settings import Settings
from services.blocklist.suppression_files import upload
from services.blocklist.suppression_files.entry import Kind
from services.blocklist.suppression_files.repository import Action, ImportRequest
from tests.blocklist.process import killed
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
async def blocklist(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "blocklist", import_interval=0.05) as running:
        yield running


async def hand_in(
    running: RunningService, content: bytes | str, key: str | None = None, **query: Any
) -> dict[str, Any]:
    """Import a list and return what became of it."""
    headers = {"Content-Type": "text/csv"} | ({"Idempotency-Key": key} if key else {})
    answer = await running.http.post("/v1/blocks/imports", content=content, params=query, headers=headers)
    assert answer.status_code == 202, answer.text
    return await finished(running, answer.json()["id"])


async def finished(running: RunningService, identity: str) -> dict[str, Any]:
    async def look() -> dict[str, Any]:
        answer = await running.http.get(f"/v1/blocks/imports/{identity}")
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    return await eventually(look, lambda seen: seen["state"] == "finished")


async def report(running: RunningService, identity: str) -> list[tuple[int, str]]:
    answer = await running.http.get(f"/v1/blocks/imports/{identity}/report")
    return [(line["row"], line["outcome"]) for line in map(json.loads, answer.text.splitlines())]


async def blocked(running: RunningService) -> dict[str, str]:
    answer = await running.http.get("/v1/blocks", params={"limit": 1000})
    return {row["address"]: row["cause"] for row in answer.raise_for_status().json()["items"]}


LIST = """email,reason,status
Ann@Example.com,,5.1.1
bob@blåbær.example,complaint,
cid@example.com,,
not an address,,
ANN@example.com,,
"""


async def test_a_list_is_blocked_with_a_report_a_row(harness: Harness, blocklist: RunningService) -> None:
    done = await hand_in(blocklist, LIST, note="from the old system")
    assert (done["total"], done["done"], done["outcomes"]) == (5, 5, {"blocked": 4, "invalid": 1})
    assert await report(blocklist, done["id"]) == [
        (1, "blocked"), (2, "blocked"), (3, "blocked"), (4, "invalid"), (5, "blocked")]  # fmt: skip
    assert await blocked(blocklist) == {
        "ann@example.com": "dead_address", "bob@xn--blbr-roah.example": "complaint", "cid@example.com": "manual",
    }  # fmt: skip
    told = await eventually(lambda: harness.take_events("actions.address-blocked"))
    assert {one["data"]["address"] for one in told} == set(await blocked(blocklist))
    (over,) = await eventually(lambda: harness.take_events("alerts.import-finished"))
    assert (over["tenant"], over["data"]["action"], over["data"]["rows"]) == (TENANT, "block", 5)
    assert (over["data"]["import_id"], over["data"]["outcomes"]) == (done["id"], done["outcomes"])
    again = await hand_in(blocklist, LIST)
    assert again["outcomes"] == {"already_blocked": 4, "invalid": 1}
    lifted = await hand_in(blocklist, "ann@example.com\ncid@example.com\nnobody@example.com\n", action="clear")
    assert lifted["outcomes"] == {"lifted": 2, "not_blocked": 1}
    assert await blocked(blocklist) == {"bob@xn--blbr-roah.example": "complaint"}
    (kept,) = await harness.fetch("blocklist", "SELECT count(*) FROM import_parts WHERE entries IS NOT NULL")
    assert kept["count"] == 0, "addresses stay behind"


async def test_a_dry_run_changes_nothing_and_says_what_would_happen(
    harness: Harness, blocklist: RunningService
) -> None:
    dry = await hand_in(blocklist, LIST, dry_run=True)
    assert dry["outcomes"] == {"blocked": 4, "invalid": 1}
    assert await blocked(blocklist) == {}
    assert await harness.depth("actions.address-blocked") == 0
    assert await harness.depth("alerts.import-finished") == 0
    assert await harness.fetch("blocklist", "SELECT FROM addresses") == []


async def test_what_was_cleared_since_stays_free(blocklist: RunningService) -> None:
    body = {"addresses": ["ann@example.com"]}
    (await blocklist.http.post("/v1/blocks/clear", json=body)).raise_for_status()
    done = await hand_in(blocklist, "email,reason,created\nann@example.com,bounce,2020-01-01T00:00:00Z\n")
    assert done["outcomes"] == {"not_blocked": 1}


async def test_the_same_key_is_the_same_import(harness: Harness, blocklist: RunningService) -> None:
    first = await hand_in(blocklist, "ann@example.com\n", key="one")
    assert (await hand_in(blocklist, "bob@example.com\n", key="one"))["id"] == first["id"]
    assert set(await blocked(blocklist)) == {"ann@example.com"}
    other = await blocklist.http.get(
        f"/v1/blocks/imports/{first['id']}", headers={"Authorization": f"Bearer {harness.token(tenant='other')}"}
    )
    assert other.status_code == 404
    page = (await blocklist.http.get("/v1/blocks/imports", params={"limit": 1})).json()
    assert [one["id"] for one in page["items"]] == [first["id"]]
    assert (await blocklist.http.get("/v1/blocks/imports", params={"cursor": page["next_cursor"]})).json()[
        "items"
    ] == []


async def test_a_list_that_breaks_off_is_forgotten(harness: Harness, blocklist: RunningService) -> None:
    async def torn() -> AsyncIterator[bytes]:
        yield b"ann@example.com\n" * 20_000
        raise OSError("the caller is gone")

    wanted = ImportRequest(TENANT, Action.BLOCK, Kind.BOUNCE, False, "test", "", "torn")
    with pytest.raises(OSError, match="gone"):
        await upload.receive(blocklist.service.pool, wanted, torn(), datetime.now(UTC))
    assert await harness.fetch("blocklist", "SELECT FROM imports") == []
    assert await harness.fetch("blocklist", "SELECT FROM import_parts") == []


ROWS = 10_000
DONE = "SELECT done, total, state FROM imports"


async def test_an_import_that_is_killed_goes_on(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "PART", 1_000)
    rows = "".join(f"u{n}@example.com\n" for n in range(ROWS))
    async with harness.running(create, Settings, "blocklist", import_interval=3600) as first:
        first.service.app.state.list_received = asyncio.Event()  # nobody is woken: others work it off
        answer = await first.http.post("/v1/blocks/imports", content=rows, headers={"Content-Type": "text/plain"})
        identity = answer.json()["id"]

        async def parts() -> int:
            return int((await harness.fetch("blocklist", DONE))[0]["done"])

        async with killed(harness):
            await eventually(parts, partial(operator.le, upload.PART))
        assert ROWS > await parts() >= upload.PART, "it was not killed in the middle"
        assert await parts() % upload.PART == 0
        async with killed(harness):
            done = await finished(first, identity)
        assert (done["done"], done["outcomes"]) == (ROWS, {"blocked": ROWS})
        assert [row for row, _ in await report(first, identity)] == list(range(1, ROWS + 1))
    for table, said in (("addresses", "cause IS NOT NULL"), ("block_log", "blocked")):
        count = f"SELECT count(*), count(DISTINCT address) FROM {table} WHERE {said}"  # noqa: S608 - of this module
        assert tuple((await harness.fetch("blocklist", count))[0]) == (ROWS, ROWS), table
    told = await harness.take_events("actions.address-blocked")
    assert len({one["id"] for one in told}) == len({one["data"]["address"] for one in told}) == ROWS


async def answers(http: httpx.AsyncClient, url: str) -> bool:
    with contextlib.suppress(httpx.ConnectError):
        return (await http.get(f"{url}/health/live")).is_success
    return False


async def test_a_list_whose_receiver_is_killed_is_handed_in_again(harness: Harness, blocklist: RunningService) -> None:
    """What was received of it is nothing; the same key is not taken for the torn one."""
    dead = asyncio.Event()

    async def torn() -> AsyncIterator[bytes]:
        yield LIST.encode() * 4_000
        await dead.wait()
        while True:
            yield LIST.encode() * 4_000

    async def parts() -> int:
        return int((await harness.fetch("blocklist", "SELECT count(*) FROM import_parts"))[0]["count"])

    headers = {"Content-Type": "text/csv", "Idempotency-Key": "one"}
    authorization = blocklist.http.headers["Authorization"]
    async with httpx.AsyncClient(headers={"Authorization": authorization}) as http:
        async with killed(harness) as url:
            await eventually(lambda: answers(http, url))
            request = asyncio.create_task(http.post(f"{url}/v1/blocks/imports", content=torn(), headers=headers))
            await eventually(parts)
        dead.set()
        with pytest.raises(httpx.HTTPError):
            await request
    assert await blocked(blocklist) == {}
    done = await hand_in(blocklist, LIST, key="one")
    assert done["outcomes"] == {"blocked": 4, "invalid": 1}
    assert (await parts(), len((await blocklist.http.get("/v1/blocks/imports")).json()["items"])) == (1, 1)


@pytest.mark.parametrize("format_", ["csv", "jsonl", "ses", "sendgrid", "mailgun", "postmark"])
async def test_exports_can_be_imported(blocklist: RunningService, format_: str) -> None:
    await hand_in(blocklist, LIST)
    wanted = {"format": format_, "kind": "bounce"} if format_ in ("sendgrid", "mailgun") else {"format": format_}
    exported = (await blocklist.http.get("/v1/blocks/export", params=wanted)).raise_for_status().text
    done = await hand_in(blocklist, exported, dry_run=True)
    assert done["outcomes"] == {"already_blocked": 2 if "kind" in wanted else 3}
