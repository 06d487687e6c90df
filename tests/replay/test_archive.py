"""The archive: every event that was published, and a part of it into one queue once more."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from returpost.amqp import archive, streams
from returpost.contracts import Contract, DeliveryRecorded, SettingsChanged, ids
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.routing import EVENTS, REPLAY
from services.replay.app import create
from services.replay.runner import archive as archive_jobs, browse
from services.replay.settings import Settings
from tests.support.command_line import CommandLine, serving
from tests.support.harness import TENANT, Harness, RunningService, eventually
from tests.support.proxy import proxy

pytestmark = [pytest.mark.anyio, pytest.mark.services]

QUEUES = ("actions.delivery-recorded", "blocklist.delivery-recorded", "classifier.delivery-recorded")
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
TYPE = DeliveryRecorded.TYPE
MINUTE = "%Y-%m-%dT%H:%M:%S"


@pytest.fixture
async def replay(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "replay") as running:
        yield running


def made(data: Contract, n: int, minute: int, tenant: str) -> Event[Any]:
    one = event(data, id=ids.of_content(tenant, n, minute), source="/test", tenant=tenant)
    return one.model_copy(update={"time": START + timedelta(minutes=minute)})


def recorded(n: int, minute: int, result: str = "delivered", tenant: str = TENANT) -> Event[Any]:
    values = {"mailing": "m1", "address": f"u{n}@bücher.example", "result": result, "time": START, "sender": "news"}
    return made(DeliveryRecorded.model_validate(values), n, minute, tenant)


async def publish(harness: Harness, *events: Event[Any]) -> None:
    for one in events:
        await harness.send(one, detail=getattr(one.data, "result", None))


async def emptied(harness: Harness, number: int) -> None:
    """Wait until the queues have had their own copies, and take those."""
    await eventually(lambda: harness.depth(QUEUES[0]), lambda depth: depth == number)
    for queue in QUEUES:
        await harness.take(queue)


def selection(since: int = 0, until: int = 60, **changes: Any) -> dict[str, Any]:
    times = {name: (START + timedelta(minutes=at)).isoformat() for name, at in (("since", since), ("until", until))}
    return {"type": TYPE, "into": QUEUES[0], **times, **changes}


async def start(replay: RunningService, chosen: dict[str, Any], rate: int = 0, why: str = "", **query: Any) -> str:
    body = {"selection": chosen, "rate": rate, "why": why}
    answer = await replay.http.post("/v1/archive/replay", json=body, params=query)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job"])


async def job(replay: RunningService, identity: str) -> dict[str, Any]:
    found: dict[str, Any] = (await replay.http.get(f"/v1/jobs/{identity}")).json()
    return found


async def until(replay: RunningService, identity: str, accept: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    return await eventually(lambda: job(replay, identity), accept)


async def ended(replay: RunningService, identity: str) -> dict[str, Any]:
    return await until(replay, identity, lambda seen: seen["state"] != "running")


async def test_a_plan_counts_and_a_replay_sends_by_type_time_and_tenant_into_one_queue(
    harness: Harness, replay: RunningService
) -> None:
    wanted = [recorded(n, n) for n in range(5, 10)]
    others = [recorded(1, 4), recorded(2, 10), recorded(3, 7, tenant="other")]
    change = SettingsChanged(name="accepted_bounces", old="5", new="6", time=START, by="ann")
    await publish(harness, *others, *wanted[::-1], made(change, 1, 6, TENANT))
    await harness.publish(EVENTS, f"delivery.recorded.{TENANT}.sent", b"no JSON")
    await emptied(harness, 9)
    chosen = selection(5, 10, tenant=TENANT)
    plan = (await replay.http.post("/v1/archive/plan", json={"selection": chosen})).json()
    times = [datetime.fromisoformat(plan[name]) - START for name in ("oldest", "newest")]
    assert times == [timedelta(minutes=5), timedelta(minutes=9)]
    assert (plan["events"], plan["messages_read"], plan["complete"]) == (5, 10, True)
    assert (plan["into"], plan["type"]) == (QUEUES[0], TYPE)
    assert await harness.depth(QUEUES[0]) == 0

    done = await ended(replay, await start(replay, chosen, expected=5))
    assert (done["state"], done["total"], done["done"], done["kind"]) == ("finished", 5, 5, "archive")
    assert (done["requested_by"], done["selection"]["into"]) == ("test", QUEUES[0])
    (message,) = await harness.take(QUEUES[0])
    assert message.exchange == REPLAY
    sent = [Event[DeliveryRecorded].model_validate(one) for one in _values(message.body)]
    assert sorted(sent, key=lambda one: one.id) == sorted(wanted, key=lambda one: one.id)
    assert [await harness.depth(queue) for queue in QUEUES] == [0, 0, 0]


def _values(body: bytes) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = json.loads(body)
    return values


async def test_events_without_a_tenant_asked_are_all_tenants(harness: Harness, replay: RunningService) -> None:
    await harness.send(recorded(1, 1), recorded(2, 2), detail="delivered")
    await publish(harness, recorded(3, 3, tenant="other"))
    await emptied(harness, 2)
    done = await ended(replay, await start(replay, selection()))
    assert done["done"] == 3
    assert {one["tenant"] for one in await harness.take_events(QUEUES[0])} == {TENANT, "other"}


async def test_a_queue_gets_only_what_its_bindings_take(harness: Harness, replay: RunningService) -> None:
    """To the classifier each recorded delivery is a success: others would end retries that go on."""
    await publish(harness, *(recorded(n, 1, result) for n, result in enumerate(("sent", "bounced", "delivered"))))
    await emptied(harness, 3)
    done = await ended(replay, await start(replay, selection(into="classifier.delivery-recorded")))
    assert done["done"] == 1
    (one,) = await harness.take_events("classifier.delivery-recorded")
    assert one["data"]["result"] == "delivered"


async def test_many_events_go_in_parts_that_are_told(
    harness: Harness, replay: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However little a part reads, nothing is left out or sent twice."""
    monkeypatch.setattr(archive_jobs, "PART_SECONDS", 0.0)
    for part in range(3):
        await harness.send(*(recorded(part * 400 + n, 90) for n in range(400)), detail="delivered")
        await harness.send(*(recorded(part * 400 + n, 1) for n in range(400)), detail="delivered")
    await emptied(harness, 6)
    identity = await start(replay, selection(), expected=1_200)
    offsets = set()

    async def look() -> dict[str, Any]:
        seen = await job(replay, identity)
        offsets.add(seen["next_offset"])
        return seen

    done = await eventually(look, lambda seen: seen["state"] != "running")
    assert (done["state"], done["done"]) == ("finished", 1_200)
    assert len(offsets) > 1
    sent = [one["id"] for one in await harness.take_events(QUEUES[0])]
    assert len(sent) == len(set(sent)) == 1_200


async def test_a_replay_can_be_slow_and_stopped(harness: Harness, replay: RunningService) -> None:
    await publish(harness, *(recorded(n, n) for n in range(20)))
    await emptied(harness, 20)
    identity = await start(replay, selection(), rate=1)
    await until(replay, identity, lambda seen: seen["done"] >= 2)
    assert (await replay.http.post(f"/v1/jobs/{identity}/stop")).status_code == 204
    stopped = await ended(replay, identity)
    assert (stopped["state"], stopped["done"] < 20) == ("stopped", True)
    assert len(await harness.take_events(QUEUES[0])) == stopped["done"]


async def test_a_replay_goes_on_after_a_restart(harness: Harness) -> None:
    await publish(harness, *(recorded(n, n) for n in range(6)))
    await emptied(harness, 6)
    async with harness.running(create, Settings, "replay") as replay:
        identity = await start(replay, selection(), rate=2)
        await until(replay, identity, lambda seen: seen["done"] >= 2)
    async with harness.running(create, Settings, "replay") as replay:
        assert (await ended(replay, identity))["done"] == 6
    sent = [one["id"] for one in await harness.take_events(QUEUES[0])]
    assert len(sent) == len(set(sent)) == 6


async def test_the_archive_is_read_no_further_than_anything_can_be_late(
    harness: Harness, replay: RunningService
) -> None:
    """What was made a little later says nothing of what comes after it; what was made days later does."""
    late, far = recorded(2, 70), recorded(3, 60 + 24 * 60 + 1)
    await publish(harness, late, recorded(1, 1), far, recorded(4, 2))
    await emptied(harness, 4)
    plan = (await replay.http.post("/v1/archive/plan", json={"selection": selection()})).json()
    assert (plan["messages_read"], plan["events"]) == (3, 1)
    assert (await ended(replay, await start(replay, selection())))["done"] == 1


async def test_from_the_beginning_of_time(harness: Harness, replay: RunningService) -> None:
    await publish(harness, recorded(1, 1))
    await emptied(harness, 1)
    chosen = selection() | {"since": "0001-01-01T00:00:00Z", "until": "9999-12-31T23:59:59Z"}
    done = await ended(replay, await start(replay, chosen))
    assert (done["state"], done["done"]) == ("finished", 1)


async def test_a_queue_that_is_gone_is_told(harness: Harness, replay: RunningService) -> None:
    await publish(harness, recorded(1, 1))
    await emptied(harness, 1)
    await harness.channel.queue_delete(QUEUES[0])
    failed = await ended(replay, await start(replay, selection()))
    assert (failed["state"], failed["done"]) == ("failed", 0)
    assert QUEUES[0] in failed["error"]


async def test_an_archive_that_breaks_off_has_not_ended(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way to the broker is cut in the middle of reading: a plan says so, and a job goes on when it is mended."""
    await publish(harness, *(recorded(n, n) for n in range(6)))
    await emptied(harness, 6)
    cuts: list[int] = []

    @asynccontextmanager
    async def breaking(connection: Any, since: Any, name: str) -> AsyncIterator[streams.StreamReader]:
        async with streams.open_stream(connection, since, name) as arriving:
            if since != "next" and len(cuts) < 2:
                await eventually(lambda: asyncio.sleep(0, arriving.waiting))
                await way.cut()
                cuts.append(len(cuts))
            yield arriving

    monkeypatch.setattr(archive, "open_stream", breaking)
    async with proxy(harness.amqp_url) as way, harness.running(create, Settings, "replay", amqp_url=way.url) as replay:
        answer = await replay.http.post("/v1/archive/plan", json={"selection": selection()})
        assert answer.status_code == 503
        assert "RabbitMQ went away" in answer.text
        await way.mend()
        identity = await start(replay, selection())
        await eventually(lambda: asyncio.sleep(0, len(cuts) == 2))
        assert (await job(replay, identity))["done"] == 0
        await way.mend()
        done = await ended(replay, identity)
    assert (done["state"], done["done"]) == ("finished", 6)
    sent = [one["id"] for one in await harness.take_events(QUEUES[0])]
    assert len(sent) == len(set(sent)) == 6


async def search(replay: RunningService, *, why: str = "", **wanted: Any) -> tuple[list[dict[str, Any]], int]:
    """Return what is found page by page, and how many pages that took."""
    times = {"since": START.isoformat(), "until": (START + timedelta(hours=1)).isoformat()}
    found, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        asked = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        body = {"filter": times | wanted, "why": why}
        answer = await replay.http.post("/v1/archive/search", json=body, params=asked)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor, pages = answer.json()["next_cursor"], pages + 1
    return found, pages


async def test_events_are_found_looked_at_and_what_was_found_is_replayed(
    harness: Harness, replay: RunningService, tmp_path: Path
) -> None:
    await harness.send(*(recorded(n, n) for n in range(5)), detail="delivered")  # one message
    await publish(harness, recorded(1, 7), recorded(1, 90), recorded(1, 8, tenant="other"))
    await emptied(harness, 4)
    address = "U1@xn--bcher-kva.example"
    everything, pages = await search(replay)
    assert (len(everything), pages) == (7, 4), "in pages that begin where the one before ended"
    assert len({one["place"] for one in everything}) == 7
    assert "bcher" not in str(everything), "no addresses"
    assert (everything[0]["mailing"], everything[0]["facts"]["result"]) == ("m1", "delivered")
    assert (await search(replay, mailing="m2"))[0] == []
    assert [one["id"] for one in (await search(replay, event=recorded(3, 3).id))[0]] == [recorded(3, 3).id]
    found, _ = await search(replay, address=address, why="ticket 4711")
    assert [one["id"] for one in found] == [recorded(1, 1).id, recorded(1, 7).id, recorded(1, 8, tenant="other").id]
    times = {name: everything[n]["time"] for name, n in (("since", 0), ("until", -1))}
    nameless = await replay.http.post("/v1/archive/search", json={"filter": times | {"address": address}})
    assert (nameless.status_code, "why" in nameless.text) == (422, True)

    shown = await replay.http.get(f"/v1/archive/events/{found[0]['place']}", params={"why": "ticket 4711"})
    assert shown.json()["data"]["address"] == address.lower()
    for place in ("0.5", "99999.0"):
        gone = await replay.http.get(f"/v1/archive/events/{place}", params={"why": "ticket 4711"})
        assert gone.status_code == 404

    async with serving(replay.service.app) as url:
        line = CommandLine({"replay": url}, harness.token(tenant="*"), tmp_path)
        begin = f"returpost archive list --from {START:{MINUTE}} --to {START + timedelta(hours=1):{MINUTE}}"
        listed = json.loads(await line.run(f"{begin} --address {address} --why ticket --json"))
        assert (listed["items"], listed["complete"]) == (found, True)
        assert found[0]["id"] in await line.run(f"{begin} --limit 3")
        assert address.lower() in await line.run(f"returpost archive show {found[0]['place']} --why ticket")
        assert "why" in await line.run(f"{begin} --address {address}", 2)

    theirs = found[-1]["place"]
    replay.http.headers["Authorization"] = f"Bearer {harness.token()}"
    mine, _ = await search(replay, address=address, why="ticket 4711")
    assert mine == found[:2], "an operator of one tenant"
    assert (await replay.http.get(f"/v1/archive/events/{theirs}", params={"why": "curious"})).status_code == 404
    other = await replay.http.post("/v1/archive/replay", json={"selection": selection(tenant="other")})
    assert other.status_code == 403

    done = await ended(replay, await start(replay, selection(address=address), why="ticket 4711"))
    assert (done["state"], done["done"]) == ("finished", 2)
    assert "bcher" not in str(done), "a job keeps no address"
    assert sorted(one["id"] for one in await harness.take_events(QUEUES[0])) == sorted(one["id"] for one in mine)
    entries = (await replay.http.get("/v1/audit")).json()["items"]
    assert [(one["action"], one["why"]) for one in entries] == [
        ("replay archive", "ticket 4711"), ("search archive", "ticket 4711"),
    ]  # fmt: skip
    assert "bcher" not in str(entries)


async def test_a_search_ends_in_time_and_says_how_far_it_looked(
    harness: Harness, replay: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browse, "MAX_SECONDS", -1.0)
    await publish(harness, *(recorded(n, n) for n in range(3)))
    await emptied(harness, 3)
    found, pages = await search(replay, mailing="m1")
    assert (len(found), pages) == (3, 4), "a message a request"
