"""Who was erased is not mailed again, where the tenant has it so: a hash tells it, until the bounce-flag is cleared."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from returpost.client import Checks
from returpost.contracts import BlockClear
from returpost.contracts.cloudevents import event
from services.blocklist.app import create
from services.blocklist.checks import check, streamed_check
from services.blocklist.settings import Settings
from shared.http.auth import ALL_TENANTS
from tests.blocklist.address_state.model import Input, address, message
from tests.blocklist.suppression_files.test_imports import finished, hand_in
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

ANN, BOB, CID = "ann@example.com", "bob@example.com", "cid@example.com"


@pytest.fixture
async def blocklist(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "blocklist", import_interval=0.05, job_interval=0.05) as running:
        yield running


async def post(running: RunningService, path: str, **body: Any) -> Any:
    return (await running.http.post(path, json=body)).raise_for_status().json()


async def erase(running: RunningService, *addresses: str) -> None:
    await post(running, "/v1/addresses/erase", addresses=addresses)


async def put(running: RunningService, **change: Any) -> None:
    (await running.http.put("/v1/settings", json=change)).raise_for_status()


async def skipped(running: RunningService, *addresses: str, **more: Any) -> dict[str, str]:
    answer = await post(running, "/v1/check", addresses=addresses or [ANN, BOB, CID], **more)
    return {one["address"]: one["cause"] for one in answer["skip"]}


async def streamed(running: RunningService, *addresses: str) -> dict[str, str]:
    text = "\n".join(addresses or [ANN, BOB, CID])
    answer = await running.http.post("/v1/check", content=text, headers={"Content-Type": "text/plain"})
    *lines, last = [json.loads(line) for line in answer.raise_for_status().text.splitlines()]
    assert last["skip"] == len(lines)
    return {one["address"]: one["cause"] for one in lines}


async def test_an_erased_address_is_skipped_when_it_is_set_and_sent_to_when_not(blocklist: RunningService) -> None:
    await erase(blocklist, ANN, BOB)
    await post(blocklist, "/v1/blocks", addresses=[BOB])
    assert await skipped(blocklist) == {BOB: "manual"} == await streamed(blocklist)
    await put(blocklist, skip_erased=True)
    assert await skipped(blocklist) == {ANN: "erased", BOB: "manual"} == await streamed(blocklist)
    assert await skipped(blocklist, "Ann <ANN@example.com>", stream="service") == {"Ann <ANN@example.com>": "erased"}
    (one,) = (await post(blocklist, "/v1/check", addresses=[ANN]))["skip"]
    assert (one["reason"], one["until"]) == (None, None)
    found = (await blocklist.http.get(f"/v1/addresses/{ANN}")).json()
    assert (found["blocked"], found["erased_at"]) == (False, one["since"])
    assert "skipped until" in found["why"]
    await put(blocklist, skip_erased=False)
    assert await skipped(blocklist) == {BOB: "manual"} == await streamed(blocklist)
    assert (await blocklist.http.get(f"/v1/addresses/{ANN}")).json()["erased_at"] is None


async def test_no_filter_lets_an_erased_one_through(blocklist: RunningService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed_check, "FEW_LINES", 0)
    monkeypatch.setattr(check, "MANY", 10)
    many = [f"u{n}@example.com" for n in range(5_000)]
    bloom_filters = blocklist.service.app.state.bloom_filters
    await erase(blocklist, many[3], many[4_000])
    assert await streamed(blocklist, *many) == {} == await skipped(blocklist, *many)
    await eventually(lambda: bloom_filters.at_hand(TENANT), lambda found: found is not None)
    await put(blocklist, skip_erased=True)
    both = {many[3]: "erased", many[4_000]: "erased"}
    assert await streamed(blocklist, *many) == both == await skipped(blocklist, *many)
    await erase(blocklist, many[5])
    assert await streamed(blocklist, *many) == {**both, many[5]: "erased"} == await skipped(blocklist, *many)


async def test_over_the_broker_as_over_http_and_each_tenant_by_itself(
    harness: Harness, blocklist: RunningService
) -> None:
    await put(blocklist, skip_erased=True)
    await erase(blocklist, ANN)
    anybody = {"Authorization": f"Bearer {harness.token(tenant=ALL_TENANTS)}"}
    other: dict[str, Any] = {"params": {"tenant": "other"}, "headers": anybody}
    (await blocklist.http.post("/v1/addresses/erase", json={"addresses": [BOB]}, **other)).raise_for_status()
    async with Checks(harness.amqp_url, TENANT) as checks, Checks(harness.amqp_url, "other") as others:
        assert [(one["address"], one["cause"]) for one in (await checks.check([ANN, BOB]))["skip"]] == [(ANN, "erased")]
        assert (await others.check([ANN, BOB]))["skip"] == []
        (await blocklist.http.put("/v1/settings", json={"skip_erased": True}, **other)).raise_for_status()
        assert [one["address"] for one in (await others.check([ANN, BOB]))["skip"]] == [BOB]


async def test_a_later_clear_has_it_mailed_again_and_a_later_erasure_skipped_again(
    harness: Harness, blocklist: RunningService
) -> None:
    await put(blocklist, skip_erased=True)
    before = datetime.now(UTC) - timedelta(minutes=1)
    await erase(blocklist, ANN, BOB)
    early = BlockClear(addresses=[BOB], time=before, by="ann")
    await harness.command(event(early, id="early", source="/test", tenant=TENANT))
    await eventually(lambda: harness.depth("blocklist.block-clear"), lambda depth: depth == 0)
    await post(blocklist, "/v1/blocks/clear", addresses=[ANN], note="asked to be written to")
    assert await skipped(blocklist) == {BOB: "erased"} == await streamed(blocklist)
    found = (await blocklist.http.get(f"/v1/addresses/{ANN}")).json()
    assert (found["erased_at"], found["cleared_by"], found["clear_note"]) == (None, "test", "asked to be written to")
    done = await hand_in(blocklist, f"{BOB}\n", action="clear")
    assert (await finished(blocklist, done["id"]))["state"] == "finished"
    assert await skipped(blocklist) == {}
    await erase(blocklist, ANN)
    assert await skipped(blocklist) == {ANN: "erased"}


async def test_what_comes_late_is_let_go_of_all_the_same(harness: Harness, blocklist: RunningService) -> None:
    await put(blocklist, skip_erased=True)
    await erase(blocklist, address(1))
    now = datetime.now(UTC)
    await harness.send(message(Input("dead", 1, 1, "m1"), TENANT), message(Input("dead", 2, 1, "m1"), TENANT))
    await eventually(lambda: skipped(blocklist, address(2)), lambda seen: seen == {address(2): "dead_address"})
    assert await skipped(blocklist, address(1)) == {address(1): "erased"}
    assert not (await blocklist.http.get(f"/v1/addresses/{address(1)}")).json()["known"]
    (hashed,) = await harness.fetch("blocklist", "SELECT erased_at FROM erased_addresses")
    assert hashed["erased_at"] <= now


async def test_an_import_tells_blocks_and_not_who_was_erased(blocklist: RunningService) -> None:
    await put(blocklist, skip_erased=True)
    await erase(blocklist, ANN)
    done = await hand_in(blocklist, f"{ANN}\n", dry_run=True)
    assert (await finished(blocklist, done["id"]))["outcomes"] == {"blocked": 1}
    await hand_in(blocklist, f"{ANN}\n")
    assert await skipped(blocklist) == {ANN: "manual"}


async def test_without_a_hash_nobody_is_recognised(harness: Harness) -> None:
    async with harness.running(create, Settings, "blocklist", remember_erased=False) as running:
        await put(running, skip_erased=True)
        await erase(running, ANN)
        assert await skipped(running) == {} == await streamed(running)
