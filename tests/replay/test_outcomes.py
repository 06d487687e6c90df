"""What becomes of replayed dead letters, over the real broker and a real consumer."""

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest

from returpost.amqp.publisher import Message
from returpost.contracts.routing import DEAD
from returpost.errors import Unavailable
from services.replay.app import create
from services.replay.runner.loop import run_part
from services.replay.settings import Settings
from tests.replay.consumers import KEY, QUEUE, consuming, publish_dead_letters, recorded
from tests.support.harness import Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
async def replay(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "replay") as running:
        yield running


async def get(replay: RunningService, path: str, **query: Any) -> Any:
    answer = await replay.http.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def kept(replay: RunningService, number: int, **query: Any) -> list[dict[str, Any]]:
    async def look() -> Any:
        return await get(replay, "/v1/dead-letters", limit=1000, **query)

    page = await eventually(look, lambda seen: seen["total"] == number)
    rows: list[dict[str, Any]] = page["items"]
    return rows


async def start(replay: RunningService, action: str = "replay", **body: Any) -> str:
    answer = await replay.http.post(f"/v1/dead-letters/{action}", json={"selection": {"all": True}, "why": "x"} | body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job"])


async def job(replay: RunningService, identity: str, accept: Callable[[Any], bool]) -> Any:
    return await eventually(lambda: get(replay, f"/v1/jobs/{identity}"), accept)


def ended(seen: Any) -> bool:
    return seen["state"] in ("finished", "failed", "stopped", "paused")


async def test_replay_tells_processed_from_failed_again(harness: Harness, replay: RunningService) -> None:
    good, bad = [recorded(n) for n in range(3)], recorded(9, "poison")
    await publish_dead_letters(harness, *good, bad)
    before = {row["event_id"]: row for row in await kept(replay, 4)}
    processed: list[str] = []
    identity = await start(replay, slow_start=False, stop_after=None)
    sent = await job(replay, identity, lambda seen: seen["pending"] == 3 and seen["done"] == 3)
    assert sent["processed"] == 0, "nobody has consumed, so nothing is processed"
    async with consuming(harness, {"poison"}, processed):
        done = await job(replay, identity, ended)
        assert (done["state"], done["processed"], done["failed"], done["pending"]) == ("finished", 3, 1, 0)
        again = (await kept(replay, 1))[0]
    assert sorted(processed) == sorted(one.id for one in good)
    assert {row["event_id"] for row in await kept(replay, 3, state="processed")} == {one.id for one in good}
    (failed,) = await kept(replay, 1, state="failed")
    assert failed["id"] == before[bad.id]["id"] == again["previous"]
    assert (again["attempt"], again["error_type"], again["first_failed_at"]) == (2, "Poisoned", failed["failed_at"])
    assert (again["routing_key"], again["tenant"], again["mailing"]) == (failed["routing_key"], "acme", "poison")
    history = await get(replay, f"/v1/dead-letters/{again['id']}/history")
    assert [(row["id"], row["state"]) for row in history["items"]] == [(failed["id"], "failed"), (again["id"], "dead")]
    assert history["items"][0]["jobs"] == [identity]
    details = await get(replay, f"/v1/dead-letters/{failed['id']}")
    assert details["headers"] == {"origin": "a system"}


async def test_canary_that_fails_stops_the_rest_until_resumed(harness: Harness, replay: RunningService) -> None:
    await publish_dead_letters(harness, *(recorded(n, "poison") for n in range(12)))
    await kept(replay, 12)
    poison, processed = {"poison"}, list[str]()
    async with consuming(harness, poison, processed):
        identity = await start(replay, canary=2)
        paused = await job(replay, identity, ended)
        assert (paused["state"], paused["failed"], paused["done"]) == ("paused", 2, 2)
        assert "failed again" in paused["error"]
        await kept(replay, 12)  # ten that were not sent, and two new ones
        poison.clear()
        assert (await replay.http.post(f"/v1/jobs/{identity}/resume")).status_code == 204
        done = await job(replay, identity, ended)
    assert (done["state"], done["processed"], done["failed"], done["done"]) == ("finished", 10, 2, 12)
    assert len(processed) == 10
    assert {row["attempt"] for row in await kept(replay, 2)} == {2}, "what failed again is not of the frozen set"


async def test_many_travel_together_and_each_has_its_outcome(harness: Harness, replay: RunningService) -> None:
    events = [recorded(n, "poison" if n % 50 == 7 else "m1") for n in range(400)]
    await publish_dead_letters(harness, *events)
    await kept(replay, 400)
    processed: list[str] = []
    identity = await start(replay, canary=0, slow_start=False, stop_after=None)
    sent = await job(replay, identity, lambda seen: seen["state"] == "waiting")
    assert sent["pending"] == 400
    assert await harness.depth(QUEUE) < 10, "the cost is the message, not the event"
    async with consuming(harness, {"poison"}, processed):
        done = await job(replay, identity, ended)
        assert (done["state"], done["processed"], done["failed"]) == ("finished", 392, 8)
        linked = {row["previous"] for row in await kept(replay, 8)}
    assert linked == {row["id"] for row in await kept(replay, 8, state="failed")}
    assert sorted(processed) == sorted(one.id for one in events if one.data.mailing == "m1")


async def test_part_left_by_a_crash_is_sent_again(harness: Harness, replay: RunningService) -> None:
    class Broken:
        async def publish(self, messages: list[Message]) -> list[Message]:
            raise Unavailable("gone in the middle")

    await publish_dead_letters(harness, recorded(1), recorded(2))
    await kept(replay, 2)
    processed: list[str] = []
    service = replay.service
    service.publisher, publisher = Broken(), service.publisher  # type: ignore[assignment]
    identity = await start(replay, canary=0, slow_start=False)
    taken = await job(replay, identity, lambda seen: seen["pending"] == 2)
    assert (taken["done"], await harness.depth(QUEUE)) == (0, 0)
    service.publisher = publisher
    async with consuming(harness, set(), processed):
        done = await job(replay, identity, ended)
    assert (done["state"], done["processed"], done["done"]) == ("finished", 2, 2)
    assert len(processed) == 2
    assert await run_part(service.pool, publisher, await service.app.state.archive_reader(), []) is False


async def test_what_the_broker_gives_up_has_failed_again(harness: Harness, replay: RunningService) -> None:
    await publish_dead_letters(harness, recorded(1))
    await kept(replay, 1)
    identity = await start(replay)
    await job(replay, identity, lambda seen: seen["done"] == 1)
    queue = await harness.channel.declare_queue(QUEUE, passive=True)
    message = await eventually(lambda: queue.get(fail=False))
    assert message
    await message.reject(requeue=False)
    done = await job(replay, identity, ended)
    assert (done["state"], done["failed"], done["processed"]) == ("finished", 1, 0)
    (again,) = await kept(replay, 1)
    assert again["previous"] == (await kept(replay, 1, state="failed"))[0]["id"]


async def test_job_id_makes_a_request_idempotent_and_the_audit_says_why(
    harness: Harness, replay: RunningService
) -> None:
    await publish_dead_letters(harness, recorded(1), recorded(2))
    await kept(replay, 2)
    identity = str(uuid4())
    first = await start(replay, "discard", id=identity, why="not needed")
    assert first == identity == await start(replay, "discard", id=identity, why="not needed")
    await kept(replay, 2, state="discarded")
    entries = (await get(replay, "/v1/audit"))["items"]
    assert [(e["action"], e["who"], e["why"], e["details"]["dead_letters"]) for e in entries] == [
        ("discard", "test", "not needed", 2)
    ]


async def test_large_set_wants_its_number(harness: Harness) -> None:
    async with harness.running(create, Settings, "replay", confirm_above=2) as replay:
        await publish_dead_letters(harness, *(recorded(n) for n in range(3)))
        await kept(replay, 3)
        body = {"selection": {"all": True}, "why": "x"}
        assert (await replay.http.post("/v1/dead-letters/plan", json=body)).json()["confirm"] == 3
        for confirm, status in ((None, 409), (2, 409), (3, 202)):
            answer = await replay.http.post("/v1/dead-letters/replay", json=body | {"confirm": confirm})
            assert answer.status_code == status, answer.text


async def test_plan_says_what_is_impossible_and_why(harness: Harness, replay: RunningService) -> None:
    await publish_dead_letters(harness, recorded(1))
    await publish_dead_letters(harness, recorded(2, tenant="other"))  # it came by the routing key of acme
    await publish_dead_letters(harness, recorded(3), queue="")
    await publish_dead_letters(harness, recorded(4), queue="gone.queue")
    await kept(replay, 4)
    plan = (await replay.http.post("/v1/dead-letters/plan", json={"selection": {"all": True}})).json()
    assert plan["dead_letters"] == 1
    assert sorted((one["count"], one["why"]) for one in plan["impossible"]) == [
        (1, "it names a tenant or a sender that its routing key does not"),
        (1, "it never reached a queue"),
        (1, "the queue gone.queue is gone"),
    ]
    (target,) = plan["targets"]
    assert (target["queue"], target["reports_outcome"], target["waiting"]) == (QUEUE, True, 0)
    into = {"selection": {"all": True}, "into": QUEUE}
    elsewhere = (await replay.http.post("/v1/dead-letters/plan", json=into)).json()
    assert elsewhere["dead_letters"] == 3
    wrong = (await replay.http.post("/v1/dead-letters/plan", json=into | {"into": "actions.block-applied"})).json()
    assert (wrong["dead_letters"], len(wrong["impossible"])) == (0, 2)


async def test_into_takes_only_what_the_queue_is_bound_for(harness: Harness, replay: RunningService) -> None:
    """The type alone says too little: the consumer of that queue refuses what came by another routing key."""
    await publish_dead_letters(harness, recorded(1))
    await publish_dead_letters(harness, recorded(2, result="delivered"), key="delivery.recorded.acme.delivered")
    await kept(replay, 2)
    into = {"selection": {"all": True}, "into": "blocklist.delivery-recorded"}
    plan = (await replay.http.post("/v1/dead-letters/plan", json=into)).json()
    assert plan["dead_letters"] == 1
    assert plan["impossible"] == [
        {"count": 1, "why": "blocklist.delivery-recorded does not take the routing key delivery.recorded.acme.sent"}
    ]
    identity = await start(replay, into="blocklist.delivery-recorded")
    await job(replay, identity, lambda seen: seen["done"] == 1)
    await eventually(lambda: harness.depth("blocklist.delivery-recorded"), lambda depth: depth == 1)
    (left,) = await kept(replay, 1)
    assert left["routing_key"] == KEY


async def test_operators_of_a_tenant_see_and_replay_their_own(harness: Harness, replay: RunningService) -> None:
    await publish_dead_letters(harness, recorded(1))
    await publish_dead_letters(harness, recorded(2, tenant="other"), key="delivery.recorded.other.sent")
    rows = {row["tenant"]: row for row in await kept(replay, 2)}
    await replay.http.put("/v1/dead-letters/groups/f/note", json={"status": "known", "owner": "ann", "note": "a leak"})
    everybody = replay.http.headers["Authorization"]
    replay.http.headers["Authorization"] = f"Bearer {harness.token()}"
    assert [row["tenant"] for row in await kept(replay, 1)] == ["acme"]
    assert (await replay.http.get("/v1/dead-letters", params={"tenant": "other"})).status_code == 403
    for path in ("", "/history", "/body?why=curious"):
        assert (await replay.http.get(f"/v1/dead-letters/{rows['other']['id']}{path}")).status_code == 404
    assert (await replay.http.get("/v1/dead-letters/groups/f/note")).status_code == 404, "notes are of who wrote them"
    (group,) = (await get(replay, "/v1/dead-letters/groups", by=["tenant"]))["items"]
    assert (group["tenant"], group["count"]) == ("acme", 1)
    identity = await start(replay, "discard")
    assert (await job(replay, identity, ended))["total"] == 1
    assert [one["tenant"] for one in (await get(replay, "/v1/audit"))["items"]] == ["acme"]
    replay.http.headers["Authorization"] = everybody
    assert [row["tenant"] for row in await kept(replay, 1)] == ["other"]
    elsewhere = await start(replay, "discard", why="all tenants")
    await job(replay, elsewhere, ended)
    replay.http.headers["Authorization"] = f"Bearer {harness.token()}"
    assert (await replay.http.get(f"/v1/jobs/{elsewhere}")).status_code == 404
    assert (await replay.http.post(f"/v1/jobs/{elsewhere}/stop")).status_code == 404


async def test_groups_by_any_field_and_search_by_all(harness: Harness, replay: RunningService) -> None:
    await publish_dead_letters(harness, *(recorded(n, f"m{n % 2}") for n in range(5)), error="it broke HERE")
    await publish_dead_letters(harness, recorded(7, "m7", "other"), key="delivery.recorded.other.sent", queue="q")
    await kept(replay, 6)
    for by, sizes in {"tenant": [5, 1], "queue": [5, 1], "type": [6], "release": [6], "hour": [6]}.items():
        groups = (await get(replay, "/v1/dead-letters/groups", by=[by]))["items"]
        if by != "hour":  # which may have changed in between
            assert [group["count"] for group in groups] == sizes, by
        assert all(group[by] is not None and group["bytes"] > 0 for group in groups)
    both = (await get(replay, "/v1/dead-letters/groups", by=["tenant", "queue"]))["items"]
    assert {(one["tenant"], one["queue"], one["count"]) for one in both} == {("acme", QUEUE, 5), ("other", "q", 1)}
    fingerprint = (await kept(replay, 1, tenant="other"))[0]["fingerprint"]
    note = {"status": "being mended", "owner": "ann", "note": "bad deploy"}
    assert (await replay.http.put(f"/v1/dead-letters/groups/{fingerprint}/note", json=note)).status_code == 204
    groups = (await get(replay, "/v1/dead-letters/groups"))["items"]
    assert {(group["count"], group["status"], group["owner"]) for group in groups} == {
        (5, None, None), (1, "being mended", "ann")
    }  # fmt: skip
    await kept(replay, 3, mailing="m0")
    await kept(replay, 5, text="broke here")
    await kept(replay, 0, text="100%")
    await kept(replay, 1, event=recorded(7, "m7", "other").id)
    await kept(replay, 6, type="returpost.delivery.recorded.v1", error_type="InvalidMessage")
    first = await get(replay, "/v1/dead-letters", limit=4)
    rest = await get(replay, "/v1/dead-letters", limit=4, cursor=first["next_cursor"])
    assert (first["total"], rest["total"], len(rest["items"]), rest["next_cursor"]) == (6, 6, 2, None)
    assert len({row["id"] for row in first["items"] + rest["items"]}) == 6


async def test_bytes_are_shown_for_a_reason_that_is_kept(harness: Harness, replay: RunningService) -> None:
    await publish_dead_letters(harness, recorded(1))
    (row,) = await kept(replay, 1)
    path = f"/v1/dead-letters/{row['id']}/body"
    assert (await replay.http.get(path)).status_code == 422
    assert b"u1@example.com" in (await replay.http.get(path, params={"why": "incident 7"})).content
    (entry,) = (await get(replay, "/v1/audit"))["items"]
    assert (entry["action"], entry["target"], entry["why"]) == ("look", row["id"], "incident 7")


async def test_a_report_about_nothing_changes_nothing(harness: Harness, replay: RunningService) -> None:
    await publish_dead_letters(harness, recorded(1))
    await kept(replay, 1)
    reports = [b"{", b"[]", b'{"queue": 1}', b'{"queue": "q", "parts": [{"part": "x/1", "failed": []}]}']
    reports.append(b'{"queue": "q", "parts": [{"part": "%s/1", "failed": ["a"]}]}' % str(uuid4()).encode())
    for report in reports:
        await harness.publish("returpost.replay-outcomes", "", report)
    await harness.publish(DEAD, "", b"no event", **{"x-returpost-replay": f"{uuid4()}/999999999999"})
    await kept(replay, 2)
    await eventually(lambda: harness.depth("replay.outcomes"), lambda depth: depth == 0)
    await kept(replay, 2)
