"""Clear bounce-flag over many addresses: from the request to an outcome for each, told on the way."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from returpost.contracts import BlockCleared
from returpost.contracts.routing import COMMANDS, DEAD_LETTERS, routing_key
from services.actions.app import create
from services.actions.operations.domain import COMMAND_ROWS as CHUNK
from services.actions.settings import Settings
from shared.database.pool import Pool
from tests.actions.builders import (
    address,
    apply,
    cleared,
    erased,
    moment,
    publish_events,
    receive_events,
    request,
    spy_queue,
    verdict,
    wrap,
)
from tests.actions.operations.operations_api import (
    confirm,
    post_action,
    request_preview,
    run_operation,
    selected,
    start_operation,
    wait_for_operation,
)
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

CLEARS = "blocklist.block-clear"
TOLD = ("operation.progressed.*", "operation.finished.*")


async def audit(actions: RunningService) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await actions.http.get("/v1/audit")).json()["items"]
    return rows


async def test_from_the_preview_to_the_end(harness: Harness, actions: RunningService) -> None:
    spy = await spy_queue(harness, *TOLD)
    addresses = [address(1), address(2), "u1@EXAMPLE.com", "Unknown@nowhere.example"]
    body = {"operation": "clear_bounce_flag", "target": {"addresses": addresses}, "note": "list cleaned"}
    answer = await actions.http.post("/v1/operations", json=body)
    assert answer.status_code == 201, answer.text
    preview = answer.json()
    identity = preview["id"]
    assert (preview["state"], preview["rows"], preview["to_do"], preview["skipped"]) == ("previewed", 3, 3, [])
    assert [row["address"] for row in preview["sample"]] == [
        "u1@example.com",
        "u2@example.com",
        "unknown@nowhere.example",
    ]
    assert await audit(actions) == []
    assert (await actions.http.get("/v1/operations")).json() == {"items": [], "next_cursor": None}

    assert await confirm(actions, preview) == identity
    (command,) = await receive_events(harness, CLEARS, 1)
    assert command["data"]["addresses"] == ["u1@example.com", "u2@example.com", "unknown@nowhere.example"]
    assert (command["data"]["by"], command["data"]["note"]) == ("test", "list cleaned")
    assert (command["data"]["operation"], command["subject"], command["tenant"]) == (identity, identity, TENANT)
    await wait_for_operation(actions, identity, state="running", rows=3, settled=0)

    await publish_events(harness, cleared(command))
    finished = await wait_for_operation(actions, identity, state="finished")
    assert (finished["done"], finished["outcomes"], finished["requested_by"]) == (3, [], "test")
    assert (finished["can_be_undone"], finished["can_be_cancelled"]) == (True, False)
    (row,) = await audit(actions)
    time = datetime.fromisoformat(row.pop("time"))
    assert timedelta(0) <= datetime.now(UTC) - time < timedelta(minutes=5)
    del row["id"]
    assert row == {
        "who": "test", "what": "clear_bounce_flag", "how_many": 3, "note": "list cleaned", "operation_id": identity,
        "target": {"addresses": 4},
    }  # fmt: skip
    events = await receive_events(harness, spy, 3)
    assert [(e["type"], e["data"].get("done"), e["data"].get("outcomes")) for e in events] == [
        ("returpost.operation.progressed.v1", 0, None),
        ("returpost.operation.progressed.v1", 3, None),
        ("returpost.operation.finished.v1", None, {"done": 3}),
    ]
    assert {(e["data"]["operation_id"], e["data"]["total"], e["tenant"]) for e in events} == {(identity, 3, TENANT)}
    assert (events[2]["data"]["state"], events[2]["data"]["by"]) == ("finished", "test")


async def test_only_what_was_previewed_is_done(pool: Pool, actions: RunningService) -> None:
    preview = await request_preview(actions, "clear_bounce_flag", selected(address(1), address(2), address(3)))
    assert (await post_action(actions, preview["id"], "confirm", token="another")).status_code == 409
    await apply(pool, erased(2, 1))
    refused = await post_action(actions, preview["id"], "confirm", token=preview["token"])
    assert refused.status_code == 409
    assert "preview again" in refused.json()["title"]
    assert await pool.fetchval("SELECT state FROM operations") == "previewed"
    assert (await post_action(actions, preview["id"], "undo")).status_code == 409
    assert (await post_action(actions, preview["id"], "cancel")).json()["state"] == "cancelled"
    late = await post_action(actions, preview["id"], "confirm", token=preview["token"])
    assert (late.status_code, late.json()["title"]) == (409, "the operation is cancelled: preview again")
    assert (await post_action(actions, "no-such", "confirm", token="x")).status_code == 404


async def test_asked_twice_with_one_key_it_is_done_once(harness: Harness, actions: RunningService) -> None:
    body = {"operation": "clear_bounce_flag", "target": selected(address(1))}
    key = {"Idempotency-Key": "monday-7"}
    for _ in range(3):
        answer = await actions.http.post("/v1/operations", json=body, headers=key)
        assert answer.status_code == 201, answer.text
        await confirm(actions, answer.json())
    identity = answer.json()["id"]
    (command,) = await receive_events(harness, CLEARS, 1)
    await publish_events(harness, cleared(command))
    await wait_for_operation(actions, identity, state="finished", rows=1)
    assert (await actions.http.post("/v1/operations", json=body, headers=key)).json()["state"] == "finished"
    assert await harness.depth(CLEARS) == 0
    assert len(await audit(actions)) == 1
    other = await actions.http.post("/v1/operations", json=body | {"target": selected(address(2))}, headers=key)
    assert (other.status_code, other.json()["title"].split(":")[0]) == (422, "Idempotency-Key")


async def test_a_repeated_request_or_answer_does_nothing_twice(harness: Harness, actions: RunningService) -> None:
    spy = await spy_queue(harness, *TOLD)
    asked = request("op-1", [address(1)])
    await publish_events(harness, asked, asked, request("op-1", [address(2)]))
    (command,) = await receive_events(harness, CLEARS, 1)
    await publish_events(harness, *[cleared(command)] * 3)
    await wait_for_operation(actions, "op-1", state="finished", rows=1)
    await publish_events(harness, asked, cleared(command), request("op-2", [address(3)]))
    await wait_for_operation(actions, "op-2", state="running")
    await eventually(lambda: harness.depth("actions.block-cleared"), lambda depth: depth == 0)
    (other,) = await receive_events(harness, CLEARS, 1)
    assert other["data"]["operation"] == "op-2"
    events = await receive_events(harness, spy, 4)
    assert [(e["subject"], e["type"].split(".")[2], e["data"].get("done")) for e in events] == [
        ("op-1", "progressed", 0),
        ("op-1", "progressed", 1),
        ("op-1", "finished", None),
        ("op-2", "progressed", 0),
    ]
    assert [(row["operation_id"], row["how_many"]) for row in await audit(actions)] == [("op-2", 1), ("op-1", 1)]


async def test_the_same_id_of_another_tenant_is_another_operation(harness: Harness, actions: RunningService) -> None:
    await publish_events(harness, request("op-1", [address(1)]), request("op-1", [address(2)], tenant="other"))
    commands = {one["tenant"]: one for one in await receive_events(harness, CLEARS, 2)}
    assert commands["acme"]["id"] != commands["other"]["id"]
    await publish_events(harness, cleared(commands["other"], tenant="other"))
    headers = {"Authorization": f"Bearer {harness.token(tenant='other')}"}

    async def others() -> Any:
        return (await actions.http.get("/v1/operations/op-1", headers=headers)).json()["state"]

    await eventually(others, lambda state: state == "finished")
    assert (await wait_for_operation(actions, "op-1", rows=1))["done"] == 0


async def test_many_addresses_go_in_parts_and_progress_is_told(harness: Harness, actions: RunningService) -> None:
    spy = await spy_queue(harness, *TOLD)
    total = 2 * CHUNK + 500
    await publish_events(harness, request("op-1", [address(n) for n in range(total)]))
    commands = await receive_events(harness, CLEARS, 3)
    assert sorted(len(one["data"]["addresses"]) for one in commands) == [500, CHUNK, CHUNK]
    assert len({one["id"] for one in commands}) == 3
    done = 0
    for command in commands:
        await publish_events(harness, cleared(command))
        done += len(command["data"]["addresses"])
        await wait_for_operation(actions, "op-1", done=done)
    events = await receive_events(harness, spy, 5)
    progress = [e["data"]["done"] for e in events if "progressed" in e["type"]]
    assert progress == sorted(progress)
    assert (progress[0], progress[-1], len(progress)) == (0, total, 4)
    assert events[-1]["data"]["outcomes"] == {"done": total}


async def test_all_that_were_returned_in_a_mailing(harness: Harness, actions: RunningService) -> None:
    await publish_events(
        harness, verdict("hard", 1, 1), verdict("soft", 2, 1), verdict("none", 3, 1), verdict("hard", 4, 1, "m2")
    )

    async def returned() -> int:
        return len((await actions.http.get("/v1/returns")).json()["items"])

    await eventually(returned, lambda number: number == 3)
    await start_operation(actions, "clear_bounce_flag", {"returned_in": "m1"})
    (command,) = await receive_events(harness, CLEARS, 1)
    assert command["data"]["addresses"] == ["u1@example.com", "u2@example.com"]
    finished = await run_operation(actions, "clear_bounce_flag", {"returned_in": "no-such"})
    assert (finished["rows"], finished["outcomes"]) == (0, [])
    assert await harness.depth(CLEARS) == 0


async def test_a_request_that_cannot_be_done_is_kept_and_says_why(
    harness: Harness, actions: RunningService, subtests: pytest.Subtests
) -> None:
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"addresses": ["u1@example.com", "nobody"]}, "data.addresses.1"),
        ({"addresses": []}, "data.addresses"),
        ({"mailing": "m1"}, "data.addresses, mailing"),
        ({"filter": {"view": "blocked", "domian": "example.com"}}, "data.filter.domian"),
        ({"addresses": [], "filter": {"view": "recipients"}}, "data.filter"),
        ({"operation": "delete_everything"}, "data.operation"),
        ({"time": datetime.now(UTC) + timedelta(hours=1)}, "data.time"),
        ({"by": None}, "data.by"),
    )
    for number, (changes, problem) in enumerate(wrong):
        with subtests.test(problem):
            good = request(f"op-{number}", [address(1)])
            bad = good.model_copy(update={"data": good.data.model_copy(update=changes)})
            key = routing_key(good.type, TENANT)
            await harness.publish(COMMANDS, key, bad.model_dump_json(warnings=False).encode())
            (letter,) = await eventually(lambda: harness.take(DEAD_LETTERS))
            assert problem in str(letter.headers["x-returpost-error"])
            await publish_events(harness, good)
            await wait_for_operation(actions, f"op-{number}", rows=1)


async def test_stalled_operations_are_given_again(harness: Harness) -> None:
    async with harness.running(create, Settings, "actions", resend_after=timedelta(milliseconds=200)) as actions:
        await publish_events(harness, request("op-1", [address(n) for n in range(CHUNK + 1)]))
        first = {one["id"]: one for one in await heard_at_least(harness, 2)}
        full = next(one for one in first.values() if len(one["data"]["addresses"]) == CHUNK)
        await publish_events(harness, cleared(full))
        await wait_for_operation(actions, "op-1", done=CHUNK)
        await harness.take(CLEARS)
        again = await heard_at_least(harness, 2)
        rest = [one for one in first.values() if one is not full]
        assert {one["id"] for one in again} == {rest[0]["id"]}
        assert again[0]["data"] == rest[0]["data"]
        await publish_events(harness, cleared(again[0]))
        await wait_for_operation(actions, "op-1", state="finished")
        await harness.take(CLEARS)
    assert await harness.depth(CLEARS) == 0


async def heard_at_least(harness: Harness, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    async def look() -> int:
        found.extend(await harness.take_events(CLEARS))
        return len(found)

    await eventually(look, lambda seen: seen >= number)
    return found


async def test_an_erased_address_leaves_the_operations_that_it_is_in(
    harness: Harness, actions: RunningService, pool: Pool
) -> None:
    await publish_events(harness, request("op-1", [address(1), address(2)]))
    (command,) = await receive_events(harness, CLEARS, 1)
    await apply(pool, erased(2, 1))
    assert [row["address"] for row in await pool.fetch("SELECT address FROM operation_rows")] == ["u1@example.com"]
    await publish_events(harness, cleared(command))
    assert (await wait_for_operation(actions, "op-1", state="finished"))["done"] == 1


async def test_answers_to_nobodys_operation_do_nothing(pool: Pool) -> None:
    await apply(pool, request("op-1", [address(1)]))
    data = BlockCleared(addresses=[address(1)], time=moment(1), by="ann", operation="op-1")
    assert await apply(pool, wrap(data), wrap(data.model_copy(update={"operation": None}))) == []
    assert await pool.fetchval("SELECT done FROM operation_parts") == 0


async def test_the_moment_of_the_request_is_the_moment_of_the_clear(harness: Harness, actions: RunningService) -> None:
    await publish_events(harness, request("op-1", [address(1)], time=moment(7)))
    (command,) = await receive_events(harness, CLEARS, 1)
    assert datetime.fromisoformat(command["data"]["time"]) == moment(7)
    assert (await wait_for_operation(actions, "op-1", rows=1))["state"] == "running"
