"""Dead letters over the real broker: kept as they are, looked at, replayed, discarded."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import aio_pika
import pytest

from returpost.contracts.cloudevents import BATCHED
from returpost.contracts.routing import COMMANDS, DEAD, DEAD_LETTERS, REPLAY
from services.replay.app import create
from services.replay.domain import rate
from services.replay.settings import Settings
from shared.messaging.acceptance import origin_of, refusal
from shared.messaging.dead_letters import dead_letter
from shared.release import release
from tests.support.harness import Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

QUEUE = "actions.delivery-recorded"


@pytest.fixture
async def replay(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "replay") as running:
        yield running


async def die(
    harness: Harness, body: bytes, error: str = "broken", *, queue: str = QUEUE, attempts: int = 0, times: int = 1
) -> None:
    """Publish the dead letter that a consumer would, once or as often as a broker may."""
    built = dead_letter(
        body, queue=queue, exchange="returpost.events", routing_key="delivery.recorded.acme.sent",
        content_type=BATCHED, headers={"x-returpost-attempt": attempts}, error=error,
    )  # fmt: skip
    target = await harness.channel.get_exchange(DEAD, ensure=False)
    for _ in range(times):
        user = "returpost-admin"
        message = aio_pika.Message(body, content_type=built.content_type, headers=dict(built.headers), user_id=user)
        await target.publish(message, "")


async def dead_letters(replay: RunningService, number: int, **query: Any) -> list[dict[str, Any]]:
    async def look() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await replay.http.get("/v1/dead-letters", params=query)).json()["items"]
        return found

    return await eventually(look, lambda seen: len(seen) == number)


async def post(replay: RunningService, path: str, **selection: Any) -> dict[str, Any]:
    how = {"rate": selection.pop("rate", 0), "canary": 0, "slow_start": False, "why": "a test"}
    answer = await replay.http.post(path, json={"selection": selection} | how)
    assert answer.status_code in (200, 202), answer.text
    found: dict[str, Any] = answer.json()
    return found


async def done(replay: RunningService, identity: str, *states: str) -> dict[str, Any]:
    """Wait until a job has sent all; of a replay that no consumer hears of, some stays pending."""

    async def look() -> dict[str, Any]:
        found: dict[str, Any] = (await replay.http.get(f"/v1/jobs/{identity}")).json()
        return found

    job = await eventually(look, lambda seen: seen["state"] != "running")
    assert job["state"] in (states or ("finished", "waiting")), job
    return job


BODIES = [b"", b"\x00a\x00", b"\xff\xfe\xc3(", b"x" * 1_000_000, b'{"id": "1"}', "{æ}".encode(), b'[{"a": 1},\n  {}]']


async def test_a_letter_is_kept_with_all_that_is_known_of_it(harness: Harness, replay: RunningService) -> None:
    for number, body in enumerate(BODIES):
        await die(harness, body, f"data.{number}: wrong", attempts=number)
    rows = await dead_letters(replay, len(BODIES))
    assert {row["attempt"] for row in rows} == set(range(1, len(BODIES) + 1))
    for row in rows:
        shown = (await replay.http.get(f"/v1/dead-letters/{row['id']}")).json()
        body = BODIES[row["attempt"] - 1]
        assert (shown["bytes"], shown["content_type"], shown["state"]) == (len(body), BATCHED, "dead")
        assert (shown["queue"], shown["exchange"]) == (QUEUE, "returpost.events")
        assert (shown["routing_key"], shown["error"]) == (
            "delivery.recorded.acme.sent",
            f"data.{row['attempt'] - 1}: wrong",
        )
        exact = await replay.http.get(f"/v1/dead-letters/{row['id']}/body", params={"why": "a test"})
        assert (exact.content, exact.headers["content-type"]) == (body, "application/octet-stream")
        assert "body" not in row


async def test_what_a_consumer_could_not_read_comes_here(harness: Harness, replay: RunningService) -> None:
    """A failure with an exception carries its stack; that letters of another make is read too."""
    try:
        raise ZeroDivisionError("poison")
    except ZeroDivisionError as error:
        built = dead_letter(
            b"{}",
            queue=QUEUE,
            exchange="e",
            routing_key="k",
            content_type=None,
            headers={},
            error="bad",
            exception=error,
        )
    target = await harness.channel.get_exchange(DEAD, ensure=False)
    await target.publish(aio_pika.Message(built.body, headers=dict(built.headers), user_id="returpost-admin"), "")
    await target.publish(aio_pika.Message(b"from nowhere"), "")
    rows = await dead_letters(replay, 2)
    shown = [(await replay.http.get(f"/v1/dead-letters/{row['id']}")).json() for row in rows]
    (ours,) = [row for row in shown if row["queue"]]
    assert "ZeroDivisionError: poison" in ours["stack"]
    assert ours["fingerprint"] == built.headers["x-returpost-fingerprint"]
    (other,) = [row for row in shown if not row["queue"]]
    assert (other["error_type"], other["attempt"]) == ("RabbitMQ", 1)
    assert (ours["error_type"], ours["release"]) == ("ZeroDivisionError", release())


async def test_what_the_broker_gives_up_is_kept_and_can_go_back(harness: Harness, replay: RunningService) -> None:
    declared = await harness.channel.declare_queue("classifier.bounce-received", passive=True)
    await harness.publish("returpost.events", "bounce.received.acme", b"\x00poison", "text/x-own")
    message = await eventually(lambda: declared.get(fail=False))
    assert message
    await message.reject(requeue=False)
    (row,) = await dead_letters(replay, 1)
    assert (row["queue"], row["exchange"]) == ("classifier.bounce-received", "returpost.events")
    assert (row["routing_key"], row["error"]) == ("bounce.received.acme", "dead-lettered by RabbitMQ: rejected")
    job = await post(replay, "/v1/dead-letters/replay", ids=[row["id"]])
    await done(replay, job["job"])
    (again,) = await harness.take("classifier.bounce-received")
    assert (again.body, again.content_type) == (b"\x00poison", "text/x-own")


async def test_a_redelivery_is_the_same_letter_and_a_second_failure_another(
    harness: Harness, replay: RunningService
) -> None:
    await die(harness, b"{", times=3)
    await eventually(lambda: harness.depth(DEAD_LETTERS), lambda depth: depth == 0)
    (first,) = await dead_letters(replay, 1)
    await die(harness, b"{", attempts=1)
    rows = await dead_letters(replay, 2)
    assert [row["attempt"] for row in rows] == [2, 1]
    assert rows[1]["id"] == first["id"]


async def test_groups_count_what_failed_alike(harness: Harness, replay: RunningService) -> None:
    for n in range(3):
        await die(harness, b"%d" % n, f"data.{n}: wrong")
    await die(harness, b"x", "type: unknown")
    await die(harness, b"y", "type: unknown", queue="blocklist.block-set")
    await dead_letters(replay, 5)
    groups = (await replay.http.get("/v1/dead-letters/groups")).json()["items"]
    assert sorted((row["queue"], row["count"]) for row in groups) == [
        (QUEUE, 1),
        (QUEUE, 3),
        ("blocklist.block-set", 1),
    ]
    assert (groups[0]["count"], groups[0]["error"]) == (3, "data.2: wrong")
    assert groups[0]["first"] < groups[0]["last"]
    await dead_letters(replay, 3, fingerprint=groups[0]["fingerprint"])
    await dead_letters(replay, 1, queue="blocklist.block-set")
    first = (await replay.http.get("/v1/dead-letters", params={"limit": 3})).json()
    rest = (await replay.http.get("/v1/dead-letters", params={"cursor": first["next_cursor"]})).json()
    assert (len(first["items"]), len(rest["items"]), rest["next_cursor"]) == (3, 2, None)
    assert len({row["id"] for row in first["items"] + rest["items"]}) == 5
    await dead_letters(replay, 0, until=groups[0]["first"])
    await dead_letters(replay, 0, state="discarded")


async def test_a_new_group_is_told_of_once_until_it_is_emptied(harness: Harness, replay: RunningService) -> None:
    for n in range(3):
        await die(harness, b"%d" % n, f"data.{n}: wrong")
    await die(harness, b"x", "type: unknown")
    rows = await dead_letters(replay, 4)

    told: list[dict[str, Any]] = []

    async def opened() -> int:
        told.extend(await harness.take_events("alerts.dead-letter-group-opened"))
        return len(told)

    await eventually(opened, lambda seen: seen >= 2)
    assert {one["data"]["fingerprint"] for one in told} == {row["fingerprint"] for row in rows}
    assert [one["tenant"] for one in told] == ["returpost"] * 2
    assert "wrong" not in str(told), "what an error says may hold an address"
    await harness.fetch("replay", "UPDATE dead_letters SET state = 'discarded'")
    await die(harness, b"3", "data.3: wrong")
    await eventually(opened, lambda seen: seen == 3)
    assert told[2]["data"]["fingerprint"] in {row["fingerprint"] for row in rows}


async def test_a_plan_does_nothing_and_the_job_does_what_it_said(harness: Harness, replay: RunningService) -> None:
    await die(harness, b'{"n": 1}', attempts=4)
    await die(harness, b'{"n": 2}', queue="blocklist.block-set")
    await die(harness, b'{"n": 3}', queue="")
    await dead_letters(replay, 3)
    plan = await post(replay, "/v1/dead-letters/plan", all=True)
    assert (plan["action"], plan["dead_letters"], plan["without_queue"]) == ("replay", 2, 1)
    assert {row["queue"]: row["count"] for row in plan["groups"]} == {QUEUE: 1, "blocklist.block-set": 1, "": 1}
    assert (await replay.http.get("/v1/jobs")).json()["items"] == []
    job = await post(replay, "/v1/dead-letters/replay", all=True)
    assert job["dead_letters"] == 2
    ended = await done(replay, job["job"])
    assert (ended["total"], ended["done"], ended["requested_by"], ended["kind"]) == (2, 2, "test", "replay")
    assert ended["selection"]["all"] is True
    assert (ended["state"], ended["pending"], ended["why"]) == ("waiting", 2, "a test")
    (message,) = await harness.take(QUEUE)
    assert (message.body, message.content_type, message.exchange) == (b'{"n": 1}', BATCHED, REPLAY)
    assert message.headers["x-returpost-attempt"] == 5
    (other,) = await harness.take("blocklist.block-set")
    assert (other.body, other.headers["x-returpost-attempt"]) == (b'{"n": 2}', 1)
    replayed = await dead_letters(replay, 2, state="pending")
    assert {row["changed_by"] for row in replayed} == {"test"}
    (stays,) = await dead_letters(replay, 1)
    assert stays["queue"] == ""
    again = await post(replay, "/v1/dead-letters/replay", all=True)
    assert (await done(replay, again["job"]))["done"] == 0


async def test_discard_and_restore(harness: Harness, replay: RunningService) -> None:
    for n in range(3):
        await die(harness, b"%d" % n, queue=QUEUE if n else "")
    rows = await dead_letters(replay, 3)
    plan = await replay.http.post(
        "/v1/dead-letters/plan", params={"action": "discard"}, json={"selection": {"queue": QUEUE}}
    )
    assert (plan.json()["dead_letters"], plan.json()["without_queue"]) == (2, 0)
    await done(replay, (await post(replay, "/v1/dead-letters/discard", all=True))["job"])
    await dead_letters(replay, 3, state="discarded")
    assert await harness.depth(QUEUE) == 0
    job = await post(replay, "/v1/dead-letters/restore", ids=[rows[0]["id"]])
    assert (await done(replay, job["job"]))["done"] == 1
    assert (await dead_letters(replay, 1))[0]["id"] == rows[0]["id"]
    kinds = [row["kind"] for row in (await replay.http.get("/v1/jobs")).json()["items"]]
    assert kinds == ["restore", "discard"]


async def test_a_queue_that_is_gone_is_told_and_its_letters_stay(
    harness: Harness, replay: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts of one: what cannot be sent must not be taken again and again."""
    monkeypatch.setattr(rate, "MAX_PART", 1)
    await die(harness, b"1", queue="sender.gone.retry-requested")
    await die(harness, b"2")
    await dead_letters(replay, 2)
    job = await done(replay, (await post(replay, "/v1/dead-letters/replay", all=True))["job"])
    assert (job["done"], job["pending"], job["missing"]) == (1, 1, ["sender.gone.retry-requested"])
    assert "no such queue: sender.gone.retry-requested" in job["error"]
    (row,) = await dead_letters(replay, 1)
    assert (row["queue"], row["attempt"]) == ("sender.gone.retry-requested", 1)
    assert await harness.depth(QUEUE) == 1

    queue = await harness.channel.declare_queue(
        "sender.gone.retry-requested", durable=True, arguments={"x-queue-type": "quorum"}
    )
    await queue.bind(REPLAY, queue.name)
    await done(replay, (await post(replay, "/v1/dead-letters/replay", all=True))["job"])
    assert await harness.depth(queue.name) == 1


async def test_what_fails_again_is_not_taken_by_the_same_job(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer that buries all that it gets, in parts of two: else the job would never end."""
    monkeypatch.setattr(rate, "MAX_PART", 2)
    async with harness.running(create, Settings, "replay") as replay:
        queue = await harness.channel.declare_queue(QUEUE, passive=True)

        async def publish_dead_letter(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            await die(harness, message.body, attempts=int(str(message.headers["x-returpost-attempt"])))
            await message.ack()

        for n in range(7):
            await die(harness, b"%d" % n)
        await dead_letters(replay, 7)
        await queue.consume(publish_dead_letter)
        job = await post(replay, "/v1/dead-letters/replay", queue=QUEUE)
        assert (await done(replay, job["job"]))["done"] == 7
        rows = await dead_letters(replay, 7)
        assert {row["attempt"] for row in rows} == {2}


async def test_a_job_goes_no_faster_than_asked_and_can_be_stopped(harness: Harness, replay: RunningService) -> None:
    for n in range(30):
        await die(harness, b"%d" % n)
    await dead_letters(replay, 30)
    started = datetime.now(UTC)
    job = await post(replay, "/v1/dead-letters/replay", all=True, rate=5)
    await eventually(lambda: harness.depth(QUEUE), lambda depth: depth >= 10)
    assert datetime.now(UTC) - started > timedelta(seconds=0.9)
    assert (await replay.http.post(f"/v1/jobs/{job['job']}/stop")).status_code == 204
    stopped = await done(replay, job["job"], "stopped")
    assert 10 <= stopped["done"] < 30
    assert await harness.depth(QUEUE) == stopped["done"]
    await dead_letters(replay, 30 - stopped["done"])
    assert (await replay.http.post(f"/v1/jobs/{job['job']}/stop")).status_code == 204
    assert (await done(replay, job["job"], "stopped"))["ended_at"] == stopped["ended_at"]


async def test_a_job_goes_on_after_a_restart(harness: Harness) -> None:
    async with harness.running(create, Settings, "replay") as replay:
        for n in range(20):
            await die(harness, b"%d" % n)
        await dead_letters(replay, 20)
        job = await post(replay, "/v1/dead-letters/replay", all=True, rate=10)
        await eventually(lambda: harness.depth(QUEUE), lambda depth: depth >= 10)
    async with harness.running(create, Settings, "replay") as replay:
        assert (await done(replay, job["job"]))["done"] == 20
    # What was published, and not yet noted when the service stopped, comes once more: its id tells.
    assert {int(message.body) for message in await harness.take(QUEUE)} == set(range(20))


async def test_a_job_that_can_never_be_done_fails_and_the_next_goes_on(
    harness: Harness, replay: RunningService
) -> None:
    await die(harness, b"1")
    await dead_letters(replay, 1)
    await harness.fetch(
        "replay",
        "INSERT INTO jobs (id, kind, selection, requested_by, requested_at, rate, total)"
        " VALUES ($1, 'archive', '{\"nonsense\": 1}', 'ann', now() - interval '1 day', 0, 1)",
        identity := uuid4(),
    )
    failed = await done(replay, str(identity), "failed")
    assert "nonsense" in failed["error"]
    assert (await done(replay, (await post(replay, "/v1/dead-letters/replay", all=True))["job"]))["done"] == 1


async def test_letters_are_kept_for_a_set_time(harness: Harness, replay: RunningService) -> None:
    for n in range(3):
        await die(harness, b"%d" % n)
    rows = await dead_letters(replay, 3)
    await harness.fetch(
        "replay", "UPDATE dead_letters SET kept_at = now() - interval '61 days' WHERE id = $1", rows[0]["id"]
    )
    await harness.fetch("replay", "UPDATE dead_letters SET failed_at = '1980-01-01' WHERE id = $1", rows[1]["id"])
    async with harness.running(create, Settings, "replay") as other:
        left = await dead_letters(other, 2)
    assert rows[0]["id"] not in {row["id"] for row in left}


async def test_a_replayed_letter_is_accepted_as_it_was_published(harness: Harness, replay: RunningService) -> None:
    """What was refused because it came by another's key is refused again, whoever replays it."""
    built = dead_letter(
        b"{}", queue="blocklist.block-set", exchange=COMMANDS, routing_key="delivery.result.acme.news",
        user="sender-news", content_type=BATCHED, headers={}, error="routing key",
    )  # fmt: skip
    target = await harness.channel.get_exchange(DEAD, ensure=False)
    own = "returpost-admin"
    await target.publish(aio_pika.Message(built.body, headers=dict(built.headers), user_id=own), "")
    (row,) = await dead_letters(replay, 1)
    assert row["published_by"] == "sender-news"
    await done(replay, (await post(replay, "/v1/dead-letters/replay", ids=[row["id"]]))["job"])
    (message,) = await harness.take("blocklist.block-set")
    origin = origin_of(message)
    assert (origin.routing_key, origin.user, origin.is_service) == ("delivery.result.acme.news", "sender-news", False)
    assert refusal(message, origin, "blocklist.block-set")


async def test_the_same_message_failing_again_is_the_same_letter(harness: Harness, replay: RunningService) -> None:
    """Published twice it is one dead letter; failing after it was settled it is dead again, and not lost."""
    await die(harness, b"junk")
    (first,) = await dead_letters(replay, 1)
    await die(harness, b"junk")
    await eventually(lambda: dead_letters(replay, 1), lambda rows: rows[0]["failed_at"] > first["failed_at"])
    await done(replay, (await post(replay, "/v1/dead-letters/discard", all=True))["job"])
    await dead_letters(replay, 0)
    await die(harness, b"junk")
    (again,) = await dead_letters(replay, 1)
    assert again["id"] == first["id"]
