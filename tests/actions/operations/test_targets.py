"""Operations over what a filter of a view matches: the same rows that the view shows, frozen when they are target."""

from typing import Any

import pytest

from returpost.contracts.enums import Show, View
from tests.actions.builders import apply, blocked, erased, publish_events, receive_events, request, rows_to_view
from tests.actions.operations.operations_api import (
    confirm,
    post_action as tell,
    request_preview,
    run_operation,
    start_operation,
    wait_for_operation,
)
from tests.support.harness import Harness, RunningService

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
async def actions(actions: RunningService) -> RunningService:
    await rows_to_view(actions.service.pool)
    return actions


async def frozen(actions: RunningService, identity: str) -> list[tuple[str, str | None]]:
    rows = await actions.service.pool.fetch(
        "SELECT r.address, r.mailing FROM operation_rows AS r JOIN operations AS o ON o.no = r.operation "
        "WHERE o.operation_id = $1 ORDER BY r.seq",
        identity,
    )
    return [(row["address"], row["mailing"]) for row in rows]


async def shown(actions: RunningService, asked: dict[str, Any]) -> list[dict[str, Any]]:
    query = {name: value for name, value in asked.items() if name != "view"}
    answer = await actions.http.get(f"/v1/views/{asked['view']}", params=query)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["items"]
    return rows


FILTERS: list[tuple[dict[str, Any], int]] = [
    ({"view": "blocked", "reason": "user_unknown", "domain": "Example.com"}, 2),
    ({"view": "blocked"}, 3),
    ({"view": "returned", "mailing": "m1"}, 4),
    ({"view": "returned", "day": "2026-01-02", "contact": True}, 5),
    ({"view": "returned", "mailing": "m1", "blocked": False, "q": "u"}, 2),
    ({"view": "recipients", "mailing": "m1", "q": "n1 x"}, 2),
    ({"view": "recipients", "mailing": "m1", "company": "X AS", "show": ["returned", "opened"]}, 6),
    ({"view": "complaints"}, 1),
    *(({"view": view.value, "mailing": "m1", "show": [show.value]}, -1) for view in View for show in Show),
]


async def test_a_program_asks_for_it_by_a_command_with_a_filter(harness: Harness, actions: RunningService) -> None:
    asked = {"view": "returned", "mailing": "m1", "company": "x as", "contact": True}
    addresses = sorted(row["key"] for row in await shown(actions, asked))
    assert len(addresses) == 4
    command = request("op-1", filter=asked, operation="block")
    await publish_events(harness, command, command)
    operation = await wait_for_operation(actions, "op-1", rows=4)
    assert operation["target"] == {"filter": asked}
    (sent,) = await receive_events(harness, "blocklist.block-set", 1)
    assert sent["data"]["addresses"] == addresses
    (entry,) = (await actions.http.get("/v1/audit")).json()["items"]
    assert (entry["what"], entry["how_many"], entry["target"]) == ("block", 4, {"filter": asked})


@pytest.mark.parametrize("operation", ["clear_bounce_flag", "send_again"])
async def test_it_is_over_what_the_view_shows(actions: RunningService, operation: str) -> None:
    """Each row of a mailing for what is done to recipients, else each address once."""
    for asked, number in FILTERS:
        rows = await shown(actions, asked)
        assert number in (-1, len(rows)), asked
        preview = await request_preview(actions, operation, {"filter": asked})
        if operation == "send_again":
            places = sorted({(row["key"], row["mailing"] or "") for row in rows})
            assert [(address, mailing or "") for address, mailing in await frozen(actions, preview["id"])] == places
        else:
            keys = sorted({row["key"] for row in rows})
            assert [address for address, _ in await frozen(actions, preview["id"])] == keys, asked


async def test_preview_operation_and_audit_tell_the_filter(harness: Harness, actions: RunningService) -> None:
    asked: dict[str, Any] = {"view": "blocked", "reason": "user_unknown", "domain": "example.com", "show": ["returned"]}
    preview = await request_preview(actions, "clear_bounce_flag", {"filter": asked | {"q": ""}})
    assert (preview["target"], preview["rows"]) == ({"filter": asked}, 0)
    del asked["show"]
    preview = await request_preview(actions, "clear_bounce_flag", {"filter": asked})
    assert preview["rows"] == 2
    identity = await confirm(actions, preview)
    (command,) = await receive_events(harness, "blocklist.block-clear", 1)
    assert command["data"]["addresses"] == ["u1@example.com", "u3@example.com"]
    assert (await wait_for_operation(actions, identity, rows=2))["target"] == {"filter": asked}
    assert (await tell(actions, identity, "cancel", keep=True)).status_code == 202
    audit = (await actions.http.get("/v1/audit")).json()["items"]
    assert [(row["what"], row["target"]) for row in audit] == [
        ("clear_bounce_flag_cancelled", {"filter": asked}),
        ("clear_bounce_flag", {"filter": asked}),
    ]


async def test_the_set_is_frozen_and_the_token_is_of_the_filter(actions: RunningService) -> None:
    pool = actions.service.pool
    narrow = {"filter": {"view": "returned", "mailing": "m1", "blocked": True}}
    preview = await request_preview(actions, "export", narrow, format="csv")
    await apply(pool, blocked(2, 1))
    assert len(await shown(actions, narrow["filter"])) == 3
    other = await request_preview(
        actions, "export", {"filter": narrow["filter"] | {"reason": "user_unknown"}}, format="csv"
    )
    assert other["rows"] == 2
    assert other["token"] != preview["token"]
    assert (await tell(actions, preview["id"], "confirm", token=other["token"])).status_code == 409
    assert (await wait_for_operation(actions, await confirm(actions, preview), state="finished"))["done"] == 2


async def test_asked_twice_with_one_key_another_filter_is_refused(actions: RunningService) -> None:
    body: dict[str, Any] = {"operation": "clear_bounce_flag", "target": {"filter": {"view": "blocked"}}}
    key = {"Idempotency-Key": "monday-7"}
    first = await actions.http.post("/v1/operations", json=body, headers=key)
    assert (await actions.http.post("/v1/operations", json=body, headers=key)).json()["id"] == first.json()["id"]
    body["target"]["filter"]["domain"] = "example.com"
    assert (await actions.http.post("/v1/operations", json=body, headers=key)).status_code == 422


async def test_a_search_for_an_erased_address_is_not_kept(actions: RunningService) -> None:
    pool = actions.service.pool
    whole = await start_operation(
        actions, "export", {"filter": {"view": "blocked", "q": " U1@example.com"}}, format="csv"
    )
    part = await run_operation(actions, "export", {"filter": {"view": "blocked", "q": "u"}}, format="csv")
    await wait_for_operation(actions, whole, state="finished")
    await apply(pool, erased(1, 60))
    told = [(await wait_for_operation(actions, identity))["target"]["filter"]["q"] for identity in (whole, part["id"])]
    assert told == ["(erased)", "u"]
    audit = (await actions.http.get("/v1/audit")).json()["items"]
    assert sorted(row["target"]["filter"]["q"] for row in audit) == ["(erased)", "u"]


async def test_what_cannot_be_is_refused(actions: RunningService, subtests: pytest.Subtests) -> None:
    targets: tuple[dict[str, Any], ...] = (
        {"filter": {"view": "recipients"}},
        {"filter": {"view": "nothing"}},
        {"filter": {"view": "blocked", "colour": "red"}},
        {"filter": {"view": "blocked", "day": "yesterday"}},
        {"filter": {"view": "blocked"}, "returned_in": "m1"},
        {"filter": {"view": "blocked", "q": "\x00"}},
        {"filter": {"view": "blocked", "show": "sent'; DROP TABLE recipients"}},
    )
    for target in targets:
        with subtests.test(target=target):
            answer = await actions.http.post("/v1/operations", json={"operation": "export", "target": target})
            assert answer.status_code == 422, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
