"""Every block and lift stays known with who, when and why, and the last one can be undone."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from returpost.contracts import AddressErase
from returpost.contracts.cloudevents import event
from services.blocklist.app import create
from services.blocklist.settings import Settings
from tests.blocklist.address_state.model import Input, address, message
from tests.blocklist.suppression_files.test_imports import blocked, finished, hand_in
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

ANN = "ann@example.com"


COUNTS = dict.fromkeys(("take_back", "lift", "block", "nothing"), 0)


@pytest.fixture
async def blocklist(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "blocklist", import_interval=0.05, job_interval=0.05) as running:
        yield running


async def say(running: RunningService, what: str = "", *, status: int = 202, **values: Any) -> Any:
    answer = await running.http.post(f"/v1/blocks{what}", json={"addresses": [ANN]} | values)
    assert answer.status_code == status, answer.text
    return answer.json()


async def known(running: RunningService, asked: str = ANN) -> dict[str, Any]:
    found: dict[str, Any] = (await running.http.get(f"/v1/addresses/{asked}")).raise_for_status().json()
    return found


async def changes(running: RunningService, asked: str = ANN) -> list[tuple[Any, ...]]:
    return [(one["blocked"], one["cause"], one["by"], one["note"]) for one in (await known(running, asked))["changes"]]


async def test_all_that_was_blocked_and_lifted_is_told_newest_first(blocklist: RunningService) -> None:
    await say(blocklist, note="asked by phone")
    await say(blocklist, "/clear", note="a mistake")
    await say(blocklist, note="after all")
    assert await changes(blocklist) == [
        (True, "manual", "test", "after all"),
        (False, "cleared", "test", "a mistake"),
        (True, "manual", "test", "asked by phone"),
    ]


async def test_a_block_by_bounces_names_rule_and_settings(harness: Harness, blocklist: RunningService) -> None:
    await blocklist.http.put("/v1/settings", json={"accepted_bounces": 3})
    await harness.send(message(Input("dead", 1, 1, "m1"), TENANT))
    found = await eventually(lambda: known(blocklist, address(1)), lambda seen: seen["blocked"])
    (change,) = found["changes"]
    assert (change["cause"], change["subject"], change["by"]) == ("dead_address", "m1", "blocklist")
    assert change["rule"] == found["history"][0]["rule"]
    assert change["settings_version"] == 1


async def test_the_last_block_or_lift_is_undone_whatever_made_it(harness: Harness, blocklist: RunningService) -> None:
    await say(blocklist)
    assert await say(blocklist, "/undo", status=200, note="no") == COUNTS | {"take_back": 1}
    assert not (await known(blocklist))["blocked"]
    await say(blocklist)
    await say(blocklist, "/clear")
    assert await say(blocklist, "/undo", status=200) == COUNTS | {"take_back": 1}
    assert (await known(blocklist))["blocked"]

    await harness.send(message(Input("dead", 1, 1, "m1"), TENANT))
    await eventually(lambda: known(blocklist, address(1)), lambda seen: seen["blocked"])
    dead = {"addresses": [address(1)]}
    assert await say(blocklist, "/undo", status=200, **dead) == COUNTS | {"lift": 1}
    assert not (await known(blocklist, address(1)))["blocked"]
    assert await say(blocklist, "/undo", status=200, **dead) == COUNTS | {"block": 1}
    assert (await known(blocklist, address(1)))["cause"] == "manual"
    assert await say(blocklist, "/undo", status=200, addresses=["nobody@example.com"]) == COUNTS | {"nothing": 1}
    assert not await harness.fetch("blocklist", "SELECT FROM addresses WHERE address = 'nobody@example.com'")


async def test_an_import_is_undone_but_for_what_was_said_since(harness: Harness, blocklist: RunningService) -> None:
    await say(blocklist, addresses=["before@example.com"])
    text = (
        "email,reason,created\nann@example.com,user_unknown,\nbob@example.com,complaint,2026-01-01T00:00:00Z\n"
        "cid@example.com,,\ndan@example.com,,2026-01-01T00:00:00Z\nbefore@example.com,,2020-01-01T00:00:00Z\n"
        "since@example.com,,\n"
    )
    done = await hand_in(blocklist, text)
    assert len(await blocked(blocklist)) == 6
    await say(blocklist, addresses=["since@example.com"])
    answer = await blocklist.http.post(f"/v1/blocks/imports/{done['id']}/undo")
    assert answer.status_code == 202, answer.text

    async def operation() -> dict[str, Any]:
        found: dict[str, Any] = (await blocklist.http.get(f"/v1/jobs/{answer.json()['id']}")).json()
        return found

    assert (await eventually(operation, lambda seen: seen["finished_at"]))["freed"] == 4
    assert set(await blocked(blocklist)) == {"before@example.com", "since@example.com"}
    assert (await known(blocklist))["history"] == []
    assert (await changes(blocklist))[0][:2] == (False, "undone")


async def test_an_import_that_cleared_is_undone(blocklist: RunningService) -> None:
    await say(blocklist)
    done = await hand_in(blocklist, f"{ANN}\nbob@example.com\n", action="clear")
    assert await blocked(blocklist) == {}
    (await blocklist.http.post(f"/v1/blocks/imports/{done['id']}/undo")).raise_for_status()
    await eventually(lambda: blocked(blocklist), lambda seen: seen == {ANN: "manual"})
    dry = await hand_in(blocklist, "bob@example.com\n", dry_run=True)
    assert (await blocklist.http.post(f"/v1/blocks/imports/{dry['id']}/undo")).status_code == 409
    assert (await finished(blocklist, dry["id"]))["dry_run"]


async def test_a_block_by_hand_may_end_by_itself(harness: Harness, blocklist: RunningService) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    await say(blocklist, until=soon.isoformat())
    (told,) = await eventually(lambda: harness.take_events("actions.address-blocked"))
    assert datetime.fromisoformat(told["data"]["until"]) == soon
    await say(blocklist, until="2020-01-01T00:00:00Z", status=422)


async def test_what_comes_late_does_not_bring_an_erased_address_back(
    harness: Harness, blocklist: RunningService
) -> None:
    erased = address(1)
    await harness.send(message(Input("dead", 1, 1, "m1"), TENANT))
    await eventually(lambda: known(blocklist, erased), lambda seen: seen["blocked"])
    await say(blocklist, "/undo", status=200, addresses=[erased])
    now = datetime.now(UTC)
    told = event(AddressErase(addresses=[erased], time=now, by="ann"), id="e", source="/test", tenant=TENANT)
    await harness.command(told)
    await eventually(lambda: known(blocklist, erased), lambda seen: not seen["known"])
    late = [Input("dead", 1, 2, "m2"), Input("dead", 2, 2, "m2")]
    await harness.send(*(message(one, TENANT) for one in late))
    await eventually(lambda: known(blocklist, address(2)), lambda seen: seen["blocked"])
    assert not (await known(blocklist, erased))["known"]
    assert await traces(harness, erased) == []
    (hashed,) = await harness.fetch("blocklist", "SELECT key FROM erased_addresses")
    assert hashed["key"] != sha256(f"{TENANT}\x1f{erased}".encode()).digest()[:16]


async def traces(harness: Harness, text: str) -> list[str]:
    """Return the tables of the blocklist that have a row with this text anywhere in it."""
    tables = await harness.fetch("blocklist", "SELECT tablename FROM pg_tables WHERE schemaname = 'blocklist'")
    found = []
    for (table,) in tables:
        query = f'SELECT count(*) FROM "{table}" AS t WHERE strpos(t::text, $1) > 0'  # noqa: S608 - names out of the catalogue
        if (await harness.fetch("blocklist", query, text))[0]["count"]:
            found.append(table)
    return found
