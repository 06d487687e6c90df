"""Who is left out of an operation: those who asked not to be mailed, who has left, and what was erased."""

from typing import Any

import pytest

from tests.actions.builders import address, apply, blocked, contact_upsert, erased, result, verdict
from tests.actions.operations.operations_api import (
    confirm,
    post_action,
    request_preview,
    run_operation,
    selected,
    start_operation,
    wait_for_operation,
)
from tests.support.harness import RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]
ANYONE, ANGRY, LEFT, AWAY = (address(n) for n in range(1, 5))


def skipped(preview: dict[str, Any]) -> dict[str, int]:
    return {one["why"]: one["rows"] for one in preview["skipped"]}


async def ask_clear(actions: RunningService, **more: Any) -> Any:
    body = {"operation": "clear_bounce_flag", "target": selected(ANYONE, ANGRY, LEFT, AWAY)} | more
    return await actions.http.post("/v1/operations", json=body)


async def test_clear_leaves_out_whoever_is_not_named_on_purpose(actions: RunningService) -> None:
    pool = actions.service.pool
    await apply(pool, *(blocked(n, 1) for n in range(1, 5)))
    await apply(pool, result("complained", 2, 1), result("unsubscribed", 3, 1))
    await apply(pool, contact_upsert("c4", 1, addresses=[AWAY], former_employee=True))
    preview = (await ask_clear(actions)).json()
    assert skipped(preview) == {"complained": 1, "unsubscribed": 1, "former_employee": 1}
    assert (preview["rows"], preview["to_do"]) == (4, 1)
    included = {"parameters": {"include": ["complained"]}}
    silent = await ask_clear(actions, **included)
    assert (silent.status_code, "say why" in silent.json()["title"]) == (422, True)
    preview = (await ask_clear(actions, note="asked us on the phone", **included)).json()
    assert skipped(preview) == {"unsubscribed": 1, "former_employee": 1}
    by_filter = await request_preview(actions, "clear_bounce_flag", {"filter": {"view": "blocked"}})
    assert skipped(by_filter) == {"complained": 1, "unsubscribed": 1, "former_employee": 1}


async def test_erased_addresses_do_not_come_back_by_an_old_selection(actions: RunningService) -> None:
    pool = actions.service.pool
    await apply(pool, verdict("hard", 1, 0), verdict("hard", 2, 0))
    before = await request_preview(actions, "clear_bounce_flag", selected(address(1), address(2)))
    await apply(pool, erased(1, 5))
    changed = await post_action(actions, before["id"], "confirm", token=before["token"])
    assert changed.status_code == 409
    anew = await request_preview(actions, "clear_bounce_flag", selected(address(1), address(2)))
    assert (anew["to_do"], skipped(anew)) == (1, {"erased": 1})
    assert (await request_preview(actions, "block", selected(address(1))))["to_do"] == 1  # not to be mailed ever again
    identity = await confirm(actions, anew)
    await apply(pool, erased(2, 6))
    ended = await eventually(
        lambda: actions.http.get(f"/v1/operations/{identity}"), lambda seen: seen.json()["outcomes"][0]["rows"] == 2
    )
    assert ended.json()["outcomes"] == [{"outcome": "skipped", "why": "erased", "rows": 2}]
    await apply(pool, verdict("hard", 1, 9))  # heard of again
    assert (await request_preview(actions, "clear_bounce_flag", selected(address(1))))["to_do"] == 1


async def test_correction_is_in_the_history_of_both_addresses(actions: RunningService) -> None:
    pool = actions.service.pool
    await apply(pool, contact_upsert("c1", 0, name="Ann", addresses=[address(1)]))
    await apply(pool, contact_upsert("c2", 0, name="Bo", addresses=["new@example.com"]))
    await apply(pool, blocked(1, 1))

    async def known(of: str) -> Any:
        return (await actions.http.get(f"/v1/addresses/{of}")).json()

    assert [one["contact"] for one in (await known("New@Example.com"))["contacts"]] == ["c2"]
    identity = (await run_operation(actions, "correct_address", selected(address(1)), new="new@example.com"))["id"]
    old, new = await known(address(1)), await known("new@example.com")
    assert (old["corrected_to"]["address"], old["blocked"], old["contacts"]) == ("new@example.com", True, [])
    assert [one["address"] for one in new["corrected_from"]] == [address(1)]
    assert [one["contact"] for one in new["contacts"]] == ["c1", "c2"]
    for shown in (old, new, (await actions.http.get("/v1/contacts/c1")).json()):
        (line,) = [line for line in shown["history"] if line["what"] == "corrected"]
        assert (line["corrected_from"], line["address"]) == (address(1), "new@example.com")
    (row,) = (await actions.http.get("/v1/views/blocked")).json()["items"]
    assert row["corrected_to"] == "new@example.com"
    (listed,) = (await actions.http.get("/v1/operations")).json()["items"]
    assert (listed["old_address"], listed["parameters"]["new"]) == (address(1), "new@example.com")
    await post_action(actions, identity, "undo")
    await wait_for_operation(actions, identity, state="undone")
    assert (await known(address(1)))["corrected_to"] is None
    assert (await actions.http.get("/v1/views/blocked")).json()["items"][0]["corrected_to"] is None


async def test_operation_names_its_list(actions: RunningService) -> None:
    await apply(actions.service.pool, contact_upsert("c1", 0, addresses=[address(1)]))
    await run_operation(actions, "copy_to_project", selected(address(1)), name="Oslo")
    made = (await actions.http.get("/v1/projects")).json()["items"][0]["id"]
    await start_operation(actions, "add_to_project", selected(address(1)), list=made)
    found = (await actions.http.get("/v1/operations")).json()["items"]
    assert [one["list_name"] for one in found] == ["Oslo", "Oslo"]


async def test_misspelt_domains_are_corrected_for_many_and_put_back(actions: RunningService) -> None:
    pool = actions.service.pool
    wrong = ["ann@gmial.example", "bo@gmial.example", "cy@hotnail.example"]
    await apply(pool, *(contact_upsert(f"c{n}", 0, addresses=[one]) for n, one in enumerate(wrong)))
    body = {"operation": "correct_address", "target": selected(*wrong)}
    neither = await actions.http.post("/v1/operations", json=body)
    assert neither.status_code == 422
    domains = {"gmial.example": "gmail.example", "hotnail.example": "hotmail.example"}

    async def held() -> list[str]:
        return [row["written"] for row in await pool.fetch("SELECT written FROM contact_addresses ORDER BY contact")]

    identity = (await run_operation(actions, "correct_address", selected(*wrong), domains=domains))["id"]
    assert await held() == ["ann@gmail.example", "bo@gmail.example", "cy@hotmail.example"]
    await post_action(actions, identity, "undo")
    await wait_for_operation(actions, identity, state="undone")
    assert await held() == wrong
