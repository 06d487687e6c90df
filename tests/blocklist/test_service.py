"""The service as others see it: over the broker and over HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from returpost.contracts import AddressErase, BlockClear, BlockSet, ids
from returpost.contracts.cloudevents import event
from returpost.contracts.routing import DEAD_LETTERS
from services.blocklist.app import create
from services.blocklist.settings import Settings
from tests.blocklist.address_state.model import Input, address, message, moment
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

BLOCKED, UNBLOCKED, ERASED = (f"actions.address-{verb}" for verb in ("blocked", "unblocked", "erased"))


@pytest.fixture
async def blocklist(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "blocklist") as running:
        yield running


async def say(harness: Harness, *given: Input, tenant: str = TENANT) -> None:
    """Publish as the services before would."""
    for one in given:
        said = message(one, tenant)
        if one.what in ("delivered", "complaint"):
            await harness.send(said, detail=said.data.result)
        elif one.what in ("manual", "clear"):
            await harness.command(said)
        else:
            await harness.send(said)


async def heard(harness: Harness, queue: str, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    async def look() -> int:
        found.extend(await harness.take_events(queue))
        return len(found)

    await eventually(look, lambda seen: seen >= number)
    assert len(found) == number
    return found


async def state(running: RunningService, n: int, **query: str) -> dict[str, Any]:
    answer = await running.http.get(f"/v1/addresses/{address(n)}", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def until(running: RunningService, n: int, **wanted: Any) -> dict[str, Any]:
    return await eventually(
        lambda: state(running, n), lambda seen: all(seen[name] == value for name, value in wanted.items())
    )


async def test_the_sixth_bounce_blocks_and_a_delivery_lifts(harness: Harness, blocklist: RunningService) -> None:
    await say(harness, *(Input("full", 1, n, f"m{n}") for n in range(5)))
    seen = await until(blocklist, 1, return_count=5)
    assert not seen["blocked"]
    await say(harness, Input("full", 1, 6, "m6"))
    (told,) = await heard(harness, BLOCKED, 1)
    assert told["subject"] == "m6"
    assert told["data"] == {
        "address": "u1@example.com",
        "version": told["data"]["version"],
        "cause": "return_count",
        "reason": "mailbox_full",
        "return_count": 6,
        "mailing": "m6",
        "time": "2026-01-02T03:10:05Z",
        "by": "/returpost/blocklist",
        "note": "",
        "exempt_streams": [],
        "streams": [],
        "causes": ["return_count"],
    }
    await say(harness, Input("delivered", 1, 7, "m7"))
    (lifted,) = await heard(harness, UNBLOCKED, 1)
    assert lifted["data"]["cause"] == "delivered"
    assert lifted["data"]["version"] > told["data"]["version"]
    assert [line["settled_by"] for line in (await state(blocklist, 1))["history"]] == ["delivery"] * 6


async def test_repeats_and_lateness_count_once(harness: Harness, blocklist: RunningService) -> None:
    for _ in range(46):
        await say(harness, Input("full", 1, 5, "m1"))
    await say(harness, Input("clear", 1, 9), Input("full", 1, 8, "late"), Input("full", 1, 10, "m2"))
    # The clear comes by another queue than the bounces: whichever is first, this is where it ends.
    seen = await eventually(
        lambda: state(blocklist, 1), lambda seen: (len(seen["history"]), seen["return_count"]) == (3, 1)
    )
    assert {line["mailing"]: line["settled_by"] for line in seen["history"]} == {
        "m2": None,
        "late": "clear",
        "m1": "clear",
    }


async def test_dead_complained_and_manual_stay_until_cleared(harness: Harness, blocklist: RunningService) -> None:
    await say(harness, Input("dead", 1, 1, "m1"), Input("complaint", 2, 1, "m1"), Input("manual", 3, 1))
    causes = {one["data"]["address"]: one["data"]["cause"] for one in await heard(harness, BLOCKED, 3)}
    assert causes == {"u1@example.com": "dead_address", "u2@example.com": "complaint", "u3@example.com": "manual"}
    await say(harness, *(Input("delivered", n, 2, "m2") for n in (1, 2, 3)))
    await eventually(lambda: harness.depth("blocklist.delivery-recorded"), lambda depth: depth == 0)
    data = BlockClear(
        addresses=[address(n) for n in (1, 2, 3, 4)], time=moment(3), by="ann", note="list cleaned", operation="op-1"
    )
    await harness.command(event(data, id=ids.of_content("clear"), source="/test", tenant=TENANT))
    lifted = await heard(harness, UNBLOCKED, 3)
    assert {(one["data"]["cause"], one["data"]["by"], one["data"]["note"], one["subject"]) for one in lifted} == {
        ("cleared", "ann", "list cleaned", "op-1")
    }
    (cleared,) = await heard(harness, "actions.block-cleared", 1)
    assert cleared["data"]["addresses"] == [address(n) for n in (1, 2, 3, 4)]
    assert cleared["data"]["operation"] == "op-1"


async def test_erase(harness: Harness, blocklist: RunningService) -> None:
    await say(harness, Input("dead", 1, 1, "m1"))
    await heard(harness, BLOCKED, 1)
    data = AddressErase(addresses=[address(1), address(2)], time=moment(3), by="ann")
    await harness.command(event(data, id=ids.of_content("erase"), source="/test", tenant=TENANT))
    assert {one["data"]["address"] for one in await heard(harness, ERASED, 2)} == {"u1@example.com", "u2@example.com"}
    (lifted,) = await heard(harness, UNBLOCKED, 1)
    assert lifted["data"]["cause"] == "erased"
    assert not (await state(blocklist, 1))["known"]


async def test_a_command_from_the_future_is_refused(harness: Harness, blocklist: RunningService) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    data = BlockSet(addresses=[address(1)], time=soon, by="ann")
    await harness.command(event(data, id=ids.of_content("future"), source="/test", tenant=TENANT))
    (letter,) = await eventually(lambda: harness.take(DEAD_LETTERS))
    assert "data.time" in str(letter.headers)
    assert not (await state(blocklist, 1))["known"]


async def test_a_changed_setting_reaches_all_addresses(harness: Harness, blocklist: RunningService) -> None:
    await say(harness, *(Input("full", n, m, f"m{m}") for n in (1, 2) for m in range(n + 1)))
    await until(blocklist, 2, return_count=3)
    await until(blocklist, 1, return_count=2)
    answer = await blocklist.http.put("/v1/settings", json={"accepted_bounces": 2})
    assert answer.status_code == 200, answer.text
    (told,) = await heard(harness, BLOCKED, 1)
    assert told["data"]["address"] == "u2@example.com"
    assert told["data"]["mailing"] == "m2"
    await blocklist.http.put("/v1/settings", json={"reasons": {"mailbox_full": "ignore"}})
    (lifted,) = await heard(harness, UNBLOCKED, 1)
    assert (lifted["data"]["cause"], lifted["data"]["by"]) == ("settings", "test")

    async def applied() -> Any:
        return (await blocklist.http.get("/v1/settings")).json()

    now = await eventually(applied, lambda seen: seen["job"]["finished_at"] is not None)
    assert (now["accepted_bounces"], now["reasons"]["mailbox_full"], now["version"]) == (2, "ignore", 2)
    assert now["job"]["done"] == 2


async def test_setting_the_same_again_changes_nothing(blocklist: RunningService) -> None:
    answers = [await blocklist.http.put("/v1/settings", json={"accepted_bounces": n}) for n in (5, 3, 3)]
    assert [answer.json()["version"] for answer in answers] == [0, 1, 1]


async def test_a_bounce_under_retry_does_nothing(harness: Harness, blocklist: RunningService) -> None:
    await say(harness, Input("soft", 1, 1, "m1"), Input("exhausted", 2, 1, "m1"))
    await until(blocklist, 2, return_count=1)
    assert not (await state(blocklist, 1))["known"]


def of_tenant(harness: Harness, tenant: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {harness.token(tenant=tenant)}"}


async def test_tenants_do_not_see_each_other(
    harness: Harness, blocklist: RunningService, subtests: pytest.Subtests
) -> None:
    await say(harness, Input("dead", 1, 1, "m1"))
    await heard(harness, BLOCKED, 1)
    other = of_tenant(harness, "other")
    requests: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
        ("POST", "/v1/check", {"addresses": ["u1@example.com"]}),
        ("GET", "/v1/blocks", None),
        ("GET", "/v1/counts", None),
        ("GET", "/v1/addresses/u1@example.com", None),
        ("GET", "/v1/settings", None),
        ("PUT", "/v1/settings", {"accepted_bounces": 1}),
        ("POST", "/v1/blocks", {"addresses": ["u1@example.com"]}),
        ("POST", "/v1/blocks/clear", {"addresses": ["u1@example.com"]}),
    )
    for method, path, body in requests:
        with subtests.test(f"{method} {path}"):
            refused = await blocklist.http.request(method, path, json=body, headers=other, params={"tenant": TENANT})
            assert refused.status_code == 403
            own = await blocklist.http.request(method, path, json=body, headers=other)
            assert own.status_code < 300
            assert "user_unknown" not in own.text.replace('"user_unknown":"block"', "")
            assert (await state(blocklist, 1))["cause"] == "dead_address"
            settings = (await blocklist.http.get("/v1/settings")).json()
            assert settings["accepted_bounces"] == 5


async def test_scopes(harness: Harness, blocklist: RunningService) -> None:
    headers = {"Authorization": f"Bearer {harness.token(scopes=('check',))}"}
    body = {"addresses": ["u1@example.com"]}
    assert (await blocklist.http.post("/v1/check", json=body, headers=headers)).status_code == 200
    for method, path in (("GET", "/v1/blocks"), ("POST", "/v1/blocks"), ("PUT", "/v1/settings")):
        assert (await blocklist.http.request(method, path, json=body, headers=headers)).status_code == 403


async def test_check_knows_an_address_in_every_form(blocklist: RunningService) -> None:
    blocked = ["Ann@Example.com", "x@bücher.example", '"a@b"@example.com']
    answer = await blocklist.http.post("/v1/blocks", json={"addresses": blocked, "note": "on request"})
    assert answer.status_code == 202, answer.text
    asked = [
        "ann@EXAMPLE.com",
        " Ann@example.com ",
        "X@xn--bcher-kva.example",
        '"a@b"@Example.com',
        "eve@example.com",
        "no",
    ]
    found = (await blocklist.http.post("/v1/check", json={"addresses": asked})).json()
    assert sorted(row["address"] for row in found["skip"]) == sorted(asked[:4])
    assert {row["cause"] for row in found["skip"]} == {"manual"}
    assert [row["address"] for row in found["invalid"]] == ["no"]
    seen = (await blocklist.http.get("/v1/addresses/ANN@example.com")).json()
    assert seen["why"] == "Blocked by test: on request."
    assert (await blocklist.http.post("/v1/blocks/clear", json={"addresses": asked[:1]})).status_code == 202
    found = (await blocklist.http.post("/v1/check", json={"addresses": asked[:2]})).json()
    assert found["skip"] == []


async def test_check_says_what_is_wrong(blocklist: RunningService, subtests: pytest.Subtests) -> None:
    asked: tuple[Any, ...] = ([], ["u@example.com"] * 10_001, "u@example.com", None)
    for addresses in asked:
        with subtests.test(str(addresses)[:20]):
            body = {} if addresses is None else {"addresses": addresses}
            answer = await blocklist.http.post("/v1/check", json=body)
            assert answer.status_code == 422
            assert "addresses" in answer.json()["errors"][0]["field"]


async def test_an_address_that_is_none_cannot_be_blocked(blocklist: RunningService) -> None:
    answer = await blocklist.http.post("/v1/blocks", json={"addresses": ["u1@example.com", "nobody"]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "addresses.1"
    assert (await blocklist.http.get("/v1/blocks")).json()["items"] == []


async def test_the_list_is_paged_newest_first_and_filtered(harness: Harness, blocklist: RunningService) -> None:
    await say(harness, *(Input("dead", n, n // 2, "m1") for n in range(7)), Input("complaint", 9, 9, "m1"))
    await heard(harness, BLOCKED, 8)

    async def pages(**query: Any) -> list[str]:
        found, after = [], None
        while True:
            params = {"limit": 3, **query} | ({"cursor": after} if after else {})
            page = (await blocklist.http.get("/v1/blocks", params=params)).json()
            found += [row["address"] for row in page["items"]]
            after = page["next_cursor"]
            if after is None:
                return found

    dead = [f"u{n}@example.com" for n in (6, 5, 4, 3, 2, 1, 0)]
    assert await pages() == ["u9@example.com", *dead]
    assert await pages(cause="dead_address") == dead
    assert await pages(reason="complaint") == ["u9@example.com"]
    assert await pages(domain="Example.COM") == ["u9@example.com", *dead]
    assert await pages(domain="ample.com") == []
    counts = (await blocklist.http.get("/v1/counts")).json()["items"]
    assert [tuple(row.values()) for row in counts] == [
        ("dead_address", "user_unknown", 7),
        ("complaint", "complaint", 1),
    ]
    for wrong in ({"cursor": "!"}, {"cursor": "abcd"}, {"limit": 1001}, {"cause": "weather"}, {"domain": "a b"}):
        assert (await blocklist.http.get("/v1/blocks", params=wrong)).status_code == 422, wrong


async def test_settings_that_cannot_be(blocklist: RunningService) -> None:
    for wrong in (
        {"accepted_bounces": -1},
        {"reasons": {"ip_blocked": "block"}},
        {"reasons": {"weather": "count"}},
        {"x": 1},
    ):
        assert (await blocklist.http.put("/v1/settings", json=wrong)).status_code == 422, wrong


def test_the_document_names_all_that_goes_in_and_out() -> None:
    document = str(create(Settings()).asyncapi())
    for noun_verb in ("address.blocked", "address.unblocked", "address.erased", "block.cleared", "settings.changed"):
        assert f"{noun_verb}.{{tenant}}" in document
    for queue in ("delivery-recorded", "bounce-classified", "block-set", "block-clear", "address-erase"):
        assert f"blocklist.{queue}" in document
