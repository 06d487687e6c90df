"""The blocklist built anew out of the archive is the live one; a row that is damaged is shown, and mended."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.backup.rebuild import Places, run
from returpost.contracts import AddressErase, ids
from returpost.contracts.cloudevents import event
from services.blocklist.address_state.rebuild.rebuild import Comparison
from services.blocklist.app import create
from services.blocklist.settings import Settings
from shared.database.pool import open_pool
from tests.blocklist.address_state.model import WHATS, Input, address, moment
from tests.blocklist.test_service import BLOCKED, UNBLOCKED, heard, say, state, until
from tests.support.command_line import CommandLine
from tests.support.harness import TENANT, Harness, RunningService

pytestmark = [pytest.mark.anyio, pytest.mark.services]


DAMAGES = {
    0: "UPDATE addresses SET cause = NULL, since = NULL, reason = NULL WHERE true",
    1: "DELETE FROM history WHERE mailing = 'm3'",
    2: "UPDATE history SET reason = 'user_unknown', may_block = true WHERE true",
    4: """INSERT INTO history (tenant, address, id, time, may_block, mailing, reason, fault, rule, text)
          SELECT tenant, address, gen_random_uuid(), now() + interval '2 days', false, 'm9', 'expired', '', '', ''
          FROM history WHERE mailing = 'm3'""",
    7: "UPDATE addresses SET last_delivered = NULL WHERE true",
}
"""By the address that it befalls."""


@pytest.fixture
async def blocklist(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "blocklist") as running:
        yield running


async def rebuild(harness: Harness, approve: Callable[[], bool] = lambda: False) -> tuple[Comparison, Any]:
    places = Places(harness.admin_url, harness.amqp_url, "blocklist_rebuilt")
    return await run(places, 100, lambda _: approve(), "incident 7")


def erased_meanwhile(url: str) -> bool:
    """Approve after a while, in which an address is erased."""
    of = (TENANT, address(1).lower())
    with psycopg.connect(url, options="-csearch_path=blocklist") as connection:
        connection.execute("DELETE FROM history WHERE (tenant, address) = (%s, %s)", of)
        connection.execute("DELETE FROM addresses WHERE (tenant, address) = (%s, %s)", of)
        connection.execute("INSERT INTO erased_addresses VALUES (erased_key(%s, %s), now())", of)
    return True


async def test_the_state_built_anew_is_the_live_one_and_mends_it(
    harness: Harness, blocklist: RunningService, tmp_path: Path
) -> None:
    given = [Input(what, n, minute, f"m{minute}") for n, what in enumerate(WHATS) for minute in range(7)]
    given += [Input("dead", 20, 1, "m1"), Input("complaint", 21, 1, "m1")]
    await say(harness, *given)
    await until(blocklist, 0, return_count=7)
    await until(blocklist, 20, blocked=True)
    await until(blocklist, 21, blocked=True)
    data = {"addresses": [address(20)], "time": moment(2), "by": "ann"}
    erase = event(AddressErase.model_validate(data), id=ids.of_content("erase"), source="/test", tenant=TENANT)
    await harness.command(erase)
    await until(blocklist, 20, history=[])

    same, _ = await rebuild(harness)
    assert (same.differing, same.counts) == (0, [])
    assert same.events == len([one for one in given if one.what not in ("manual", "clear")])
    assert same.addresses == len(WHATS) - 1 + 1, "one that is soft alone is none, one is erased, one has complained"

    pool = await open_pool(harness.admin_url, "blocklist", size=2)
    try:
        for n, damage in DAMAGES.items():
            await pool.execute(f"{damage} AND address = $1", address(n).lower())
        await harness.take(BLOCKED)
        await harness.take(UNBLOCKED)
        found, changes = await rebuild(harness)
        assert changes is None, "only looked at"
        await _typed(harness, tmp_path, found)
        assert {one.address for one in found.sample} == {address(n).lower() for n in DAMAGES}
        kinds = {(one.table, one.kind, one.fields) for one in found.counts}
        assert ("addresses", "different", ("cause", "since", "reason")) in kinds
        assert ("history", "different", ("may_block", "reason")) in kinds
        assert ("addresses", "different", ("last_delivered",)) in kinds
        assert any(one.kind == "missing" and one.table == "history" and one.number == 1 for one in found.counts)
        assert ("history", "extra", ()) in kinds
        assert not (await state(blocklist, 0))["blocked"]

        mended, changes = await rebuild(harness, lambda: erased_meanwhile(harness.admin_url))
        assert mended.counts == found.counts
        assert (changes.blocked, changes.freed) == (1, 0)
        (told,) = await heard(harness, BLOCKED, 1)
        assert (told["data"]["address"], told["data"]["cause"]) == (address(0).lower(), "dead_address")
        again, _ = await rebuild(harness)
        assert again.counts == []
        assert not (await state(blocklist, 1))["known"], "what is erased does not come back"
        left = await pool.fetch("SELECT FROM pg_namespace WHERE nspname = 'blocklist_rebuilt'")
        assert left == []
    finally:
        await pool.close()
    log = (await blocklist.http.get(f"/v1/addresses/{address(0)}")).json()
    assert log["blocked"]
    assert "incident 7" in json.dumps(await _logged(harness))


async def _typed(harness: Harness, folder: Path, found: Comparison) -> None:
    """The command shows the same, with addresses if they are asked for, and ends with 1 as there are differences."""
    servers = {"RETURPOST_DATABASE_URL": harness.admin_url, "RETURPOST_AMQP_URL": harness.amqp_url}
    line = CommandLine({}, harness.token(), folder, servers)
    told = json.loads(await line.run("returpost rebuild blocklist --json", 1))
    assert (told["differing"], told["taken_over"]) == (found.differing, None)
    assert "@" not in json.dumps(told)
    assert address(1).lower() in await line.run("returpost rebuild blocklist --addresses", 1)
    for wrong in ("ingest", "blocklist --apply", "blocklist --into blocklist", 'blocklist --into "a; b"'):
        await line.run(f"returpost rebuild {wrong}", 2)


async def _logged(harness: Harness) -> list[str]:
    return [row["note"] for row in await harness.fetch("blocklist", "SELECT note FROM block_log")]
