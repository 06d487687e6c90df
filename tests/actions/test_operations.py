"""Clear bounce-flag over many addresses: from the request to an outcome for each, told on the way."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.actions.app import create
from services.actions.operations import CHUNK, resend
from services.actions.settings import Settings
from shared.database import Pool, connect
from shared.outbox import Work
from shared.topology import COMMANDS, DEAD_LETTERS, routing_key
from tests.actions.saying import (
    address,
    apply,
    cleared,
    erased,
    heard,
    later,
    moment,
    request,
    say,
    spied,
    verdict,
    waiting,
)
from tests.world import TENANT, Running, World, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

CLEARS = "blocklist.block-clear"
TOLD = ("operation.progressed.*", "operation.finished.*")


@pytest.fixture
async def actions(world: World) -> AsyncIterator[Running]:
    async with world.running(create, Settings, "actions") as running:
        yield running


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    opened = await connect(database, "actions", size=4)
    yield opened
    await opened.close()


async def until(actions: Running, identity: str, **wanted: Any) -> dict[str, Any]:
    async def look() -> dict[str, Any]:
        answer = await actions.http.get(f"/v1/operations/{identity}")
        found: dict[str, Any] = answer.json()
        return found

    return await eventually(look, lambda seen: all(seen.get(name) == value for name, value in wanted.items()))


async def audit(actions: Running) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await actions.http.get("/v1/audit")).json()
    return rows


async def test_from_the_http_request_to_the_end(world: World, actions: Running) -> None:
    spy = await spied(world, *TOLD)
    addresses = [address(1), address(2), "u1@EXAMPLE.com", "Unknown@nowhere.example"]
    body = {"operation": "clear_bounce_flag", "addresses": addresses, "note": "list cleaned"}
    answer = await actions.http.post("/v1/operations", json=body)
    assert answer.status_code == 202, answer.text
    identity = answer.json()["id"]
    (command,) = await heard(world, CLEARS, 1)
    assert command["data"]["addresses"] == ["u1@example.com", "U2@example.com", "Unknown@nowhere.example"]
    assert (command["data"]["by"], command["data"]["note"]) == ("test", "list cleaned")
    assert (command["data"]["operation"], command["subject"], command["tenant"]) == (identity, identity, TENANT)
    running = await until(actions, identity, state="running", total=3, done=0)
    assert running["outcomes"] == {"open": 3}

    await say(world, cleared(command))
    finished = await until(actions, identity, state="finished")
    assert (finished["done"], finished["outcomes"], finished["requested_by"]) == (3, {"cleared": 3}, "test")
    (row,) = await audit(actions)
    time = datetime.fromisoformat(row.pop("time"))
    assert timedelta(0) <= datetime.now(UTC) - time < timedelta(minutes=5)
    del row["id"]
    assert row == {
        "who": "test", "what": "clear_bounce_flag", "how_many": 3, "note": "list cleaned", "operation_id": identity,
    }  # fmt: skip
    events = await heard(world, spy, 3)
    assert [(e["type"], e["data"].get("done"), e["data"].get("outcomes")) for e in events] == [
        ("returpost.operation.progressed.v1", 0, None),
        ("returpost.operation.progressed.v1", 3, None),
        ("returpost.operation.finished.v1", None, {"cleared": 3}),
    ]
    assert {(e["data"]["operation_id"], e["data"]["total"], e["tenant"]) for e in events} == {(identity, 3, TENANT)}
    assert (events[2]["data"]["state"], events[2]["data"]["by"]) == ("finished", "test")


async def test_a_repeated_request_or_answer_does_nothing_twice(world: World, actions: Running) -> None:
    spy = await spied(world, *TOLD)
    asked = request("op-1", [address(1)])
    await say(world, asked, asked, request("op-1", [address(2)]))
    (command,) = await heard(world, CLEARS, 1)
    await say(world, *[cleared(command)] * 3)
    await until(actions, "op-1", state="finished", total=1)
    await say(world, asked, cleared(command), request("op-2", [address(3)]))
    await until(actions, "op-2", state="running")
    await eventually(lambda: world.depth("actions.block-cleared"), lambda depth: depth == 0)
    (other,) = await heard(world, CLEARS, 1)
    assert other["data"]["operation"] == "op-2"
    events = await heard(world, spy, 4)
    assert [(e["subject"], e["type"].split(".")[2], e["data"].get("done")) for e in events] == [
        ("op-1", "progressed", 0),
        ("op-1", "progressed", 1),
        ("op-1", "finished", None),
        ("op-2", "progressed", 0),
    ]
    assert [(row["operation_id"], row["how_many"]) for row in await audit(actions)] == [("op-2", 1), ("op-1", 1)]


async def test_asking_again_over_http_with_an_id_is_the_same_operation(world: World, actions: Running) -> None:
    body = {"operation": "clear_bounce_flag", "addresses": [address(1)], "id": "crm-7"}
    for _ in range(3):
        assert (await actions.http.post("/v1/operations", json=body)).json() == {"id": "crm-7"}
    (command,) = await heard(world, CLEARS, 1)
    await say(world, cleared(command))
    await until(actions, "crm-7", state="finished", total=1)
    await eventually(lambda: world.depth("actions.operation-requested"), lambda depth: depth == 0)
    assert await world.depth(CLEARS) == 0
    assert len(await audit(actions)) == 1


async def test_the_same_id_of_another_tenant_is_another_operation(world: World, actions: Running) -> None:
    await say(world, request("op-1", [address(1)]), request("op-1", [address(2)], tenant="other"))
    commands = {one["tenant"]: one for one in await heard(world, CLEARS, 2)}
    assert commands["acme"]["id"] != commands["other"]["id"]
    await say(world, cleared(commands["other"], tenant="other"))
    headers = {"Authorization": f"Bearer {world.token(tenant='other')}"}

    async def others() -> Any:
        return (await actions.http.get("/v1/operations/op-1", headers=headers)).json()["state"]

    await eventually(others, lambda state: state == "finished")
    assert (await until(actions, "op-1", total=1))["done"] == 0


async def test_many_addresses_go_in_parts_and_progress_is_told(world: World, actions: Running) -> None:
    spy = await spied(world, *TOLD)
    total = 2 * CHUNK + 500
    await say(world, request("op-1", [address(n) for n in range(total)]))
    commands = await heard(world, CLEARS, 3)
    assert sorted(len(one["data"]["addresses"]) for one in commands) == [500, CHUNK, CHUNK]
    assert len({one["id"] for one in commands}) == 3
    done = 0
    for command in commands:
        await say(world, cleared(command))
        done += len(command["data"]["addresses"])
        await until(actions, "op-1", done=done)
    events = await heard(world, spy, 5)
    progress = [e["data"]["done"] for e in events if "progressed" in e["type"]]
    assert progress == sorted(progress)
    assert (progress[0], progress[-1], len(progress)) == (0, total, 4)
    assert events[-1]["data"]["outcomes"] == {"cleared": total}


async def test_all_that_were_returned_in_a_mailing(world: World, actions: Running) -> None:
    await say(world, verdict("hard", 1, 1), verdict("soft", 2, 1), verdict("none", 3, 1), verdict("hard", 4, 1, "m2"))

    async def returned() -> int:
        return len((await actions.http.get("/v1/returns")).json()["returns"])

    await eventually(returned, lambda number: number == 3)
    body = {"operation": "clear_bounce_flag", "mailing": "m1"}
    assert (await actions.http.post("/v1/operations", json=body)).status_code == 202
    (command,) = await heard(world, CLEARS, 1)
    assert command["data"]["addresses"] == ["U1@example.com", "U2@example.com"]
    none = (await actions.http.post("/v1/operations", json=body | {"mailing": "no-such"})).json()["id"]
    finished = await until(actions, none, state="finished")
    assert (finished["total"], finished["outcomes"]) == (0, {})
    assert await world.depth(CLEARS) == 0


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"addresses": ["u1@example.com", "nobody"]}, "data.addresses.1"),
        ({"addresses": []}, "data.addresses"),
        ({"operation": "delete_everything"}, "data.operation"),
        ({"time": datetime.now(UTC) + timedelta(hours=1)}, "data.time"),
        ({"by": None}, "data.by"),
    ],
)
async def test_a_request_that_cannot_be_done_is_kept_and_says_why(
    world: World, actions: Running, changes: dict[str, Any], problem: str
) -> None:
    good = request("op-1", [address(1)])
    bad = good.model_copy(update={"data": good.data.model_copy(update=changes)})
    key = routing_key(good.type, TENANT)
    await world.publish(COMMANDS, key, bad.model_dump_json(warnings=False).encode())
    (letter,) = await eventually(lambda: world.take(DEAD_LETTERS))
    assert problem in str(letter.headers["x-returpost-error"])
    await say(world, good)
    await until(actions, "op-1", total=1)


async def test_stalled_operations_are_given_again(world: World) -> None:
    async with world.running(create, Settings, "actions", resend_after=timedelta(milliseconds=200)) as actions:
        await say(world, request("op-1", [address(n) for n in range(CHUNK + 1)]))
        first = {one["id"]: one for one in await heard_at_least(world, 2)}
        full = next(one for one in first.values() if len(one["data"]["addresses"]) == CHUNK)
        await say(world, cleared(full))
        await until(actions, "op-1", done=CHUNK)
        await world.take(CLEARS)
        again = await heard_at_least(world, 2)
        rest = [one for one in first.values() if one is not full]
        assert {one["id"] for one in again} == {rest[0]["id"]}
        assert again[0]["data"] == rest[0]["data"]
        await say(world, cleared(again[0]))
        await until(actions, "op-1", state="finished")
        await world.take(CLEARS)
    assert await world.depth(CLEARS) == 0


async def heard_at_least(world: World, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    async def look() -> int:
        found.extend(await world.take_events(CLEARS))
        return len(found)

    await eventually(look, lambda seen: seen >= number)
    return found


async def test_only_what_is_stalled_is_given_again(pool: Pool) -> None:
    await apply(pool, request("op-1", [address(1)]))
    for before, number in ((timedelta(minutes=-1), 0), (timedelta(minutes=1), 1)):
        async with pool.acquire() as connection, connection.transaction():
            work = Work(connection)
            assert await resend(work, datetime.now(UTC) + before) == number
            assert len(work.outgoing) == number


async def test_an_erased_address_no_longer_keeps_an_operation_open(pool: Pool) -> None:
    events = await apply(pool, request("op-1", [address(1), address(2)]), request("op-2", [address(2)]))
    (command,) = [one for one in events if one.subject == "op-1" and "clear" in one.type]
    first = command.model_copy(
        update={"data": command.data.model_copy(update={"addresses": command.data.addresses[:1]})}
    )
    (progressed,) = await apply(pool, cleared(first.model_dump(mode="json")))
    assert progressed.data.done == 1
    finished = await apply(pool, erased(2, 1))
    assert [(one.subject, one.type.split(".")[2], one.data.total) for one in finished] == [
        ("op-1", "progressed", 1),
        ("op-1", "finished", 1),
        ("op-2", "progressed", 0),
        ("op-2", "finished", 0),
    ]
    assert len({one.id for one in finished}) == 4
    states = await pool.fetch("SELECT state, total, done FROM operations ORDER BY operation_id")
    assert [tuple(row) for row in states] == [("finished", 1, 1), ("finished", 0, 0)]
    assert await apply(pool, erased(2, 1)) == []


async def test_two_who_settle_at_once_both_count(pool: Pool) -> None:
    """The one that waits must see what the other settled; else nobody ends the operation."""
    events = await apply(pool, request("op-1", [address(n) for n in range(CHUNK + 1)]))
    one, other = (event.model_dump(mode="json") for event in events if "clear" in event.type)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM operations FOR UPDATE")
        both = [later(pool, cleared(command)) for command in (one, other)]
        await waiting(pool, 2)
    told = [event for task in both for event in await task]
    assert sorted(event.type.split(".")[2] for event in told) == ["finished", "progressed", "progressed"]
    assert await pool.fetchval("SELECT state FROM operations") == "finished"


async def test_answers_to_nobodys_operation_do_nothing(pool: Pool) -> None:
    (command, *_) = await apply(pool, request("op-1", [address(1)]))
    plain = command.model_dump(mode="json")
    strange = plain | {"data": plain["data"] | {"operation": "no-such"}}
    by_hand = plain | {"data": plain["data"] | {"operation": None}}
    assert await apply(pool, cleared(strange), cleared(by_hand)) == []
    assert await pool.fetchval("SELECT done FROM operations") == 0


async def test_the_moment_of_the_request_is_the_moment_of_the_clear(pool: Pool) -> None:
    (command, *_) = await apply(pool, request("op-1", [address(1)], time=moment(7)))
    assert command.data.time == moment(7)
