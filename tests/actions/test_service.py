"""The service as others see it: events in, and what HTTP shows of them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from returpost.contracts.enums import UnblockCause
from services.actions.app import create
from services.actions.settings import Settings
from shared.http.max_body import MAX_BODY
from tests.actions.builders import (
    address,
    blocked,
    contact_upsert,
    erased,
    moment,
    publish_events,
    receive_events,
    result,
    spy_queue,
    unblocked,
    verdict,
)
from tests.actions.operations.operations_api import selected, start_operation
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]


async def get(actions: RunningService, path: str, **query: Any) -> Any:
    answer = await actions.http.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def items(actions: RunningService, path: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await get(actions, path, **query))["items"]
    return found


async def all_items(actions: RunningService, path: str, limit: int) -> list[dict[str, Any]]:
    """Return the items of all pages."""
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": limit}
    while True:
        page = await get(actions, path, **query)
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


async def statuses(actions: RunningService, mailing: str = "m1", **query: Any) -> dict[str, str]:
    found = await get(actions, f"/v1/mailings/{mailing}/recipients", **query)
    return {row["address"]: row["status"] for row in found["items"]}


async def test_recipients_and_mailings_from_plan_to_outcome(harness: Harness, actions: RunningService) -> None:
    await publish_events(harness, blocked(2, 1))
    planned = [address(n) for n in range(5)] + ["U0@EXAMPLE.com"]
    answer = await actions.http.put("/v1/mailings/m1/recipients", json=planned)
    assert answer.status_code == 204, answer.text
    wanted = {f"u{n}@example.com": "blocked" if n == 2 else "ready" for n in range(5)}
    await eventually(lambda: statuses(actions), lambda seen: seen == wanted)
    (mailing,) = await items(actions, "/v1/mailings")
    assert (mailing["mailing"], mailing["counts"]) == ("m1", {"ready": 4, "blocked": 1})
    await publish_events(
        harness, *(result("sent", n, 1) for n in (0, 1, 3)), result("bounced", 1, 2), verdict("hard", 1, 2)
    )
    await publish_events(harness, result("delivered", 3, 2), result("opened", 3, 3), result("sent", 9, 0, "m0"))
    wanted |= {"u0@example.com": "sent", "u1@example.com": "hard_bounced", "u3@example.com": "opened"}
    await eventually(lambda: statuses(actions), lambda seen: seen == wanted)
    assert await statuses(actions, status="blocked") == {"u2@example.com": "blocked"}
    assert await statuses(actions, status="ready") == {"u4@example.com": "ready"}
    assert await statuses(actions, reason="user_unknown") == {"u1@example.com": "hard_bounced"}
    await eventually(lambda: statuses(actions, "m0"))
    mailings = await items(actions, "/v1/mailings")
    assert {one["mailing"]: one["counts"] for one in mailings} == {
        "m1": {"sent": 1, "hard_bounced": 1, "blocked": 1, "opened": 1, "ready": 1},
        "m0": {"sent": 1},
    }
    await actions.http.put("/v1/mailings/m1/recipients", json=planned)
    assert await statuses(actions) == wanted


async def test_returns_say_why_whose_and_whether_blocked(harness: Harness, actions: RunningService) -> None:
    await publish_events(
        harness,
        contact_upsert("c1", 0, name="Ann", company="X AS", addresses=[address(1)]),
        verdict("hard", 1, 1, reply_code=550, status="5.1.1", diagnostic="550 no such user"),
        verdict("soft", 2, 2),
        verdict("exhausted", 3, 3, "m2"),
        blocked(1, 1),
    )

    async def addresses(**query: Any) -> list[str]:
        return [row["address"] for row in await items(actions, "/v1/returns", **query)]

    everything = ["U3@example.com", "U2@example.com", "U1@example.com"]
    await eventually(addresses, lambda seen: seen == everything)
    await eventually(lambda: addresses(blocked=True), lambda seen: seen == everything[2:])
    await eventually(lambda: addresses(contact=True), lambda seen: seen == everything[2:])
    assert await addresses(contact=False) == await addresses(blocked=False) == everything[:2]
    assert await addresses(hard=True) == ["U3@example.com", "U1@example.com"]
    assert await addresses(mailing="m2") == await addresses(reason="greylisted") == everything[:1]
    (row,) = await items(actions, "/v1/returns", blocked=True)
    assert row == {
        "mailing": "m1", "address": "U1@example.com", "returned_at": "2026-01-02T03:05:05Z", "hard": True,
        "exhausted": False, "reason": "user_unknown", "reply_code": 550, "enhanced_status": "5.1.1",
        "diagnostic": "550 no such user", "status": "hard_bounced", "blocked": True, "cause": "dead_address",
        "return_count": 1, "contact": "c1", "name": "Ann", "company": "X AS",
    }  # fmt: skip


async def test_returns_are_paged_also_within_one_moment(harness: Harness, actions: RunningService) -> None:
    await publish_events(harness, *(verdict("hard", n, n // 4, f"m{n % 3}") for n in range(11)))

    async def pages() -> list[tuple[str, str]]:
        return [(row["returned_at"], row["address"]) for row in await all_items(actions, "/v1/returns", 3)]

    seen = await eventually(pages, lambda seen: len(seen) == 11)
    assert len({one for _, one in seen}) == 11
    assert [time for time, _ in seen] == sorted((time for time, _ in seen), reverse=True)


async def test_recipients_contacts_operations_and_audit_are_paged(harness: Harness, actions: RunningService) -> None:
    await actions.http.put("/v1/mailings/m1/recipients", json=[address(n) for n in range(7)])
    for n in range(7):
        assert (await actions.http.put(f"/v1/contacts/c{n}", json={"name": f"N{n}"})).status_code == 204
        await start_operation(actions, "clear_bounce_flag", selected(address(n)))
        await publish_events(harness, result("sent", 1, n, f"p{n}"))
    await eventually(lambda: items(actions, "/v1/audit"), lambda rows: len(rows) == 7)
    await eventually(lambda: items(actions, "/v1/mailings"), lambda rows: len(rows) == 8)
    for path, id_ in (("/v1/mailings/m1/recipients", "address"), ("/v1/contacts", "contact")):
        found = [row[id_] for row in await all_items(actions, path, 3)]
        assert found == sorted(set(found))
        assert len(found) == 7
    mailings = [row["mailing"] for row in await all_items(actions, "/v1/mailings", 3)]
    assert mailings == [row["mailing"] for row in await items(actions, "/v1/mailings")]
    assert len(set(mailings)) == 8
    times = [row["requested_at"] for row in await all_items(actions, "/v1/operations", 3)]
    assert (times, len(times)) == (sorted(set(times), reverse=True), 7)
    entries = [row["id"] for row in await all_items(actions, "/v1/audit", 3)]
    assert (entries, len(entries)) == (sorted(set(entries), reverse=True), 7)


async def contact(actions: RunningService, name: str) -> dict[str, Any] | None:
    rows = await items(actions, "/v1/contacts", contact=name)
    return rows[0] if rows else None


async def test_contacts_by_events_in_any_order(harness: Harness, actions: RunningService) -> None:
    spy = await spy_queue(harness, "contact.changed.*")
    newest = contact_upsert("c1", 9, name="Anne", addresses=["New@x.no", address(1)])
    await publish_events(
        harness,
        blocked(1, 1),
        newest,
        contact_upsert("c1", 1, name="Ann", company="X AS", addresses=["old@x.no"]),
        newest,
    )
    await publish_events(harness, contact_upsert("c1", 2, company="Y AS"), contact_upsert("c1", 0, name="A"))
    wanted = {
        "contact": "c1", "name": "Anne", "company": "Y AS", "external_id": None, "former_employee": False,
        "addresses": [
            {"address": "New@x.no", "blocked": False, "cause": None, "reason": None},
            {"address": "U1@example.com", "blocked": True, "cause": "dead_address", "reason": "user_unknown"},
        ],
    }  # fmt: skip
    await eventually(lambda: contact(actions, "c1"), lambda seen: seen is not None and wanted.items() <= seen.items())
    await publish_events(harness, unblocked(1, 2), erased(1, 3))
    await eventually(lambda: contact(actions, "c1"), lambda seen: bool(seen and len(seen["addresses"]) == 1))
    changes = await receive_events(harness, spy, 3)
    assert {(one["data"]["contact"], one["data"]["what"], one["data"]["by"]) for one in changes} == {
        ("c1", "upserted", "/test")
    }


async def test_contacts_by_http(actions: RunningService, harness: Harness) -> None:
    spy = await spy_queue(harness, "contact.changed.*")
    assert (await actions.http.put("/v1/contacts/c1", json={"name": "Ann", "addresses": ["a@X.no"]})).status_code == 204
    assert (await actions.http.put("/v1/contacts/c1", json={"company": "X AS"})).status_code == 204
    seen = await contact(actions, "c1")
    assert seen
    assert (seen["name"], seen["company"], seen["addresses"][0]["address"]) == ("Ann", "X AS", "a@x.no")
    await actions.http.put("/v1/contacts/c1", json={"addresses": []})
    assert (await contact(actions, "c1") or {})["addresses"] == []
    assert {one["data"]["by"] for one in await receive_events(harness, spy, 3)} == {"/users/test"}


async def test_contacts_from_csv(actions: RunningService) -> None:
    body = "\ufeffid;navn;e-post\r\n" + "".join(f"c{n};N{n};u{n}@x.no\r\n" for n in range(1_500))
    bad = "c9999;Nobody;nobody\r\n;No one;a@x.no\r\n" + "".join(f"d{n};;x\r\n" for n in range(150))
    answer = await actions.http.post("/v1/contacts/import", content=(body + bad + "z;Last;z@x.no").encode())
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["imported"], said["refused"], len(said["errors"])) == (1_501, 152, 100)
    assert [row["line"] for row in said["errors"][:2]] == [1_502, 1_503]
    assert said["errors"][1]["problem"] == "contact: Field required"
    assert (await contact(actions, "c7") or {})["addresses"][0]["address"] == "u7@x.no"
    (row,) = await items(actions, "/v1/audit")
    assert (row["who"], row["what"], row["how_many"]) == ("test", "contacts_imported", 1_501)
    answer = await actions.http.post("/v1/contacts/import", content=b"name;phone\nAnn;1\n")
    assert answer.status_code == 422
    assert "header" in answer.json()["title"]
    assert len(await items(actions, "/v1/audit")) == 1


async def test_a_body_that_is_too_large_is_refused(actions: RunningService) -> None:
    answer = await actions.http.post("/v1/contacts/import", content=b"x" * (MAX_BODY + 1))
    assert answer.status_code == 413

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY // 1_000_000 + 2):
            yield b"id;email\n" * 111_112

    answer = await actions.http.post("/v1/contacts/import", content=parts())
    assert answer.status_code == 413


async def test_a_block_and_its_lift_reach_the_recipients(harness: Harness, actions: RunningService) -> None:
    await actions.http.put("/v1/mailings/m1/recipients", json=[address(1)])
    await publish_events(harness, unblocked(1, 20, cause=UnblockCause.SETTINGS), blocked(1, 10), blocked(1, 10))
    await publish_events(harness, blocked(2, 1))

    async def versions() -> list[int]:
        rows = await harness.fetch("actions", "SELECT version FROM address_states ORDER BY address")
        return [row["version"] for row in rows]

    await eventually(versions, lambda seen: seen == [20, 1])
    await eventually(lambda: harness.depth("actions.address-blocked"), lambda depth: depth == 0)
    assert await statuses(actions) == {"u1@example.com": "ready"}
    await actions.http.put("/v1/contacts/c1", json={"addresses": [address(1)]})
    (held,) = (await actions.http.get("/v1/contacts/c1")).json()["addresses"]
    assert (held["blocked"], held["cause"], held["blocked_since"]) == (False, None, None)
    await publish_events(harness, blocked(1, 30, 5))
    await eventually(lambda: statuses(actions), lambda seen: seen == {"u1@example.com": "blocked"})


async def test_what_one_tenant_has_no_other_sees(harness: Harness, actions: RunningService) -> None:
    await publish_events(
        harness,
        result("sent", 1, 1),
        verdict("hard", 1, 1),
        contact_upsert("c1", 1, name="Ann", addresses=[address(1)]),
    )
    await publish_events(harness, blocked(1, 1, tenant="other"))
    await eventually(lambda: contact(actions, "c1"))
    await eventually(lambda: statuses(actions), lambda seen: seen == {"u1@example.com": "hard_bounced"})
    assert (await items(actions, "/v1/returns"))[0]["blocked"] is False
    actions.http.headers["Authorization"] = f"Bearer {harness.token(tenant='other')}"
    for path in ("/v1/mailings", "/v1/mailings/m1/recipients", "/v1/returns", "/v1/contacts", "/v1/audit"):
        assert await get(actions, path) == {"items": [], "next_cursor": None}, path
    actions.http.headers["Authorization"] = f"Bearer {harness.token(tenant='*')}"
    assert (await items(actions, "/v1/mailings", tenant=TENANT))[0]["last_seen"] == moment(1).isoformat()[:-6] + "Z"


def test_the_document_names_all_that_goes_in_and_out() -> None:
    document = str(create(Settings()).asyncapi())
    for key in ("contact.changed", "operation.progressed", "operation.finished", "block.clear", "block.undo"):
        assert f"{key}.{{tenant}}" in document
    for queue in ("delivery-recorded", "bounce-classified", "address-blocked", "address-unblocked", "address-erased",
                  "block-cleared", "contact-upsert", "operation-requested"):  # fmt: skip
        assert f"actions.{queue}" in document
