"""The service as others see it over the broker: bounces in, verdicts and retry commands out."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from returpost.contracts import BounceClassified, RetryRequested, ids
from returpost.contracts.routing import DEAD_LETTERS, EVENTS, sender_queue
from services.classifier.app import create
from services.classifier.settings import Settings
from tests.classifier.model import REASONS, Input, address, message, moment
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

CLASSIFIED = "blocklist.bounce-classified"
OWN_QUEUES = ("bounce-received", "delivery-recorded", "address-blocked", "address-unblocked", "address-erased")


class Clock:
    """The clock of the dispatcher; it moves when it is told to."""

    def __init__(self) -> None:
        self.now = moment(0)

    def __call__(self) -> datetime:
        return self.now


Start = Callable[..., AbstractAsyncContextManager[RunningService]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(harness: Harness, clock: Clock) -> Start:
    given: dict[str, Any] = {
        "retry_delays": "5m,30m,2h",
        "retry_delays_by_reason": {"greylisted": "1m"},
        "retry_jitter": 0,
        "dispatch_interval": timedelta(milliseconds=20),
    }
    return lambda **settings: harness.running(create, Settings, "classifier", clock, **given | settings)


@pytest.fixture
async def classifier(start: Start) -> AsyncIterator[RunningService]:
    async with start() as running:
        yield running


async def say(harness: Harness, *given: Input, **changes: Any) -> None:
    """Publish each as the service before would."""
    for one in given:
        said = message(one, **changes)
        await harness.send(said, detail="delivered" if one.what == "delivered" else None)


async def heard(harness: Harness, queue: str, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    async def look() -> int:
        found.extend(await harness.take_events(queue))
        return len(found)

    await eventually(look, lambda seen: seen >= number)
    assert len(found) == number
    return found


async def until(harness: Harness, **states: int) -> None:
    """Wait until the table of retries has so many rows in each state, and no others."""

    async def look() -> dict[str, int]:
        rows = await harness.fetch("classifier", "SELECT state, count(*) AS count FROM retries GROUP BY state")
        return {row["state"]: row["count"] for row in rows}

    await eventually(look, lambda seen: seen == states)


ROUNDS = count(1000)


async def round_done(harness: Harness) -> None:
    """Wait until the dispatcher has looked for what is due by now: a retry of its own, long due, has been asked for."""
    own = Input("grey", next(ROUNDS), 0)
    await say(harness, own, sender="default")
    queue = sender_queue("default")
    (command,) = await eventually(lambda: harness.take_events(queue))
    assert command["data"]["address"] == address(own.address)


TAKEN = {
    "delivered": "SELECT FROM outcomes",
    "block": "SELECT FROM blocks",
    "erase": "SELECT FROM erased_addresses",
    "dead": "SELECT FROM outcomes",
    "full": "SELECT FROM verdicts WHERE type = 'soft'",
}


async def taken(harness: Harness, what: str) -> None:
    """Wait until what was sent has taken effect."""
    await eventually(lambda: harness.fetch("classifier", TAKEN[what]), bool)


@pytest.mark.parametrize(
    ("what", "type_", "attempt", "minutes", "dead"),
    [("dead", "hard", 0, None, True), ("full", "soft", 1, 5, False), ("grey", "soft", 1, 1, False)],
)
async def test_a_bounce_gets_its_verdict(
    harness: Harness, classifier: RunningService, what: str, type_: str, attempt: int, minutes: int | None, dead: bool
) -> None:
    cause = message(Input(what, 1, 0))
    await harness.send(cause)
    (told,) = await heard(harness, CLASSIFIED, 1)
    assert told["id"] == ids.derived(cause.id, BounceClassified.TYPE)
    assert (told["type"], told["tenant"], told["subject"]) == (BounceClassified.TYPE, TENANT, "m1")
    data, evidence = told["data"], cause.data.evidence
    assert (data["address"], data["mailing"], data["sender"], data["attempt"]) == (address(1), "m1", "news", attempt)
    assert (data["reply_code"], data["status"], data["diagnostic"]) == (
        evidence.reply_code,
        evidence.status,
        evidence.diagnostic,
    )
    assert data.get("retry_at") == (f"2026-01-02T03:{4 + minutes:02}:05Z" if minutes else None)
    assert data["exhausted"] is False
    verdict = data["verdict"]
    assert (verdict["type"], verdict["reason"], verdict["dead_address"]) == (type_, REASONS[what], dead)
    assert verdict["rule"].split(".")[0] in ("recipient", "sender")


async def test_repeats_tell_the_same_and_count_once(harness: Harness, classifier: RunningService) -> None:
    for _ in range(7):
        await say(harness, Input("full", 1, 0), Input("dead", 2, 0))
    told = await heard(harness, CLASSIFIED, 14)
    assert len({(one["id"], one["data"]["attempt"], one["data"].get("retry_at")) for one in told}) == 2
    await until(harness, waiting=1)
    counts = (await classifier.http.get("/v1/verdicts/counts")).json()["items"]
    assert {(row["reason"], row["count"]) for row in counts} == {("mailbox_full", 1), ("user_unknown", 1)}


async def test_a_retry_is_asked_for_when_due_of_the_sender_that_sent(
    harness: Harness, classifier: RunningService, clock: Clock
) -> None:
    await say(harness, Input("full", 1, 0))
    await until(harness, waiting=1)
    clock.now = moment(5) - timedelta(seconds=1)
    await round_done(harness)
    assert await harness.depth(sender_queue("news")) == 0
    clock.now = moment(5)
    (told,) = await heard(harness, sender_queue("news"), 1)
    assert (told["type"], told["tenant"], told["subject"]) == (RetryRequested.TYPE, TENANT, "m1")
    assert told["data"] == {
        "mailing": "m1",
        "address": address(1),
        "sender": "news",
        "attempt": 2,
        "due": "2026-01-02T03:09:05Z",
        "reason": "mailbox_full",
    }
    clock.now = moment(10_000)
    await round_done(harness)
    assert await harness.depth(sender_queue("news")) == 0


async def test_attempts_are_counted_until_they_are_used_up(
    harness: Harness, classifier: RunningService, clock: Clock
) -> None:
    for number, minute in enumerate((0, 10, 60), start=1):
        await say(harness, Input("full", 1, minute), attempt=77)  # what the sender counts is not trusted
        (verdict,) = await heard(harness, CLASSIFIED, 1)
        assert (verdict["data"]["attempt"], verdict["data"]["exhausted"]) == (number, False)
        clock.now = moment(minute + 200)
        (command,) = await heard(harness, sender_queue("news"), 1)
        assert command["data"]["attempt"] == number + 1
    await say(harness, Input("full", 1, 300))
    (last,) = await heard(harness, CLASSIFIED, 1)
    assert last["data"]["exhausted"] is True
    assert (last["data"]["verdict"]["type"], last["data"]["verdict"]["reason"]) == ("soft", "mailbox_full")
    assert (last["data"]["attempt"], last["data"]["time"]) == (4, "2026-01-02T08:04:05Z")
    assert "retry_at" not in last["data"]
    clock.now = moment(10_000)
    await round_done(harness)
    assert await harness.depth(sender_queue("news")) == 0


async def test_without_delays_a_soft_bounce_is_exhausted_at_once(harness: Harness, start: Start) -> None:
    async with start(retry_delays=""):
        await say(harness, Input("full", 1, 0))
        (told,) = await heard(harness, CLASSIFIED, 1)
        assert (told["data"]["exhausted"], told["data"]["attempt"]) == (True, 1)


@pytest.mark.parametrize(
    ("what", "state"), [("delivered", "recovered"), ("dead", "failed"), ("block", "dropped"), ("erase", None)]
)
@pytest.mark.parametrize("late", [False, True], ids=["after", "before"])
async def test_what_happened_in_the_meantime_drops_the_retry(
    harness: Harness, classifier: RunningService, clock: Clock, what: str, state: str | None, late: bool
) -> None:
    """Whether it arrives after the soft bounce or, though it happened later, before it."""
    both = [Input("full", 1, 0), Input(what, 1, 2)]
    for one in reversed(both) if late else both:
        await say(harness, one)
        await taken(harness, one.what)
    await until(harness, **({state: 1} if state else {}))
    clock.now = moment(60)
    await say(harness, Input("full", 2, 0))
    (command,) = await heard(harness, sender_queue("news"), 1)
    assert command["data"]["address"] == address(2)
    kept = await harness.fetch("classifier", "SELECT address FROM retries UNION ALL SELECT address FROM blocks")
    assert (address(1).lower() in {row["address"] for row in kept}) == (what != "erase")


async def test_a_bounce_after_the_delivery_is_retried(
    harness: Harness, classifier: RunningService, clock: Clock
) -> None:
    await say(harness, Input("delivered", 1, 1), Input("full", 1, 2))
    await until(harness, waiting=1)
    clock.now = moment(60)
    await heard(harness, sender_queue("news"), 1)


async def test_a_lifted_block_gives_the_retry_back(harness: Harness, classifier: RunningService, clock: Clock) -> None:
    await say(harness, Input("full", 1, 0))
    await until(harness, waiting=1)
    await say(harness, Input("block", 1, 1))
    await until(harness, dropped=1)
    await say(harness, Input("unblock", 1, 2))
    await until(harness, waiting=1)
    clock.now = moment(6)
    await heard(harness, sender_queue("news"), 1)


async def test_a_sender_without_a_queue_is_told_of_by_a_dead_letter(
    harness: Harness, classifier: RunningService, clock: Clock
) -> None:
    await say(harness, Input("full", 1, 0), sender="nobody")
    await until(harness, waiting=1)
    clock.now = moment(60)
    (letter,) = await eventually(lambda: harness.take(DEAD_LETTERS))
    assert "retry.requested.acme.nobody" in str(letter.headers["x-returpost-error"])
    await until(harness, requested=1)


async def test_a_command_that_is_never_answered_is_reported_lost(harness: Harness, start: Start, clock: Clock) -> None:
    async with start():
        await say(harness, Input("full", 1, 0))
        await until(harness, waiting=1)
        clock.now = moment(5)
        await heard(harness, sender_queue("news"), 1)
        await until(harness, requested=1)
    clock.now = moment(5 + 13 * 60)
    async with start() as running:  # housekeeping begins with the start
        await until(harness, lost=1)
        text = (await running.http.get("/metrics")).text
        assert "returpost_retries_lost_total" in text
        listed = (await running.http.get("/v1/retries", params={"state": "lost"})).json()
        assert [row["address"] for row in listed["items"]] == [address(1)]
        await round_done(harness)
        assert await harness.depth(sender_queue("news")) == 0


async def test_what_is_older_than_it_is_kept_is_forgotten(harness: Harness, start: Start, clock: Clock) -> None:
    day = 24 * 60
    async with start():
        await say(harness, Input("dead", 1, 0), Input("delivered", 2, 0), Input("erase", 3, 0), Input("full", 4, 0))
        await until(harness, waiting=1)
        await say(harness, Input("delivered", 4, 1), Input("full", 5, 0))
        await say(harness, Input("dead", 6, 20 * day), Input("delivered", 7, 20 * day), Input("erase", 8, 20 * day))
        await until(harness, recovered=1, waiting=1)
        await eventually(lambda: counts(harness), lambda seen: seen == (4, 5, 2))
    clock.now = moment(31 * day)
    async with start():
        # The verdict, the delivery and the erasure of the 20th day stay; the retry that waited is dropped, unsent.
        await eventually(lambda: counts(harness), lambda seen: seen == (1, 2, 1))
        await eventually(lambda: waiting(harness), lambda rows: not rows)
        assert await harness.depth(sender_queue("news")) == 0
    async with start():
        await until(harness)


async def waiting(harness: Harness) -> list[Any]:
    return await harness.fetch("classifier", "SELECT FROM retries WHERE state = 'waiting'")


async def counts(harness: Harness) -> tuple[int, ...]:
    """Return how many verdicts, outcomes and erasures are kept."""
    rows = await harness.fetch(
        "classifier",
        "SELECT (SELECT count(*) FROM verdicts), (SELECT count(*) FROM outcomes),"
        " (SELECT count(*) FROM erased_addresses)",
    )
    return tuple(rows[0])


async def test_bad_events_are_kept_and_the_rest_goes_on(harness: Harness, classifier: RunningService) -> None:
    bad = {b"{", b'{"specversion": "1.0"}'}
    for body in bad:
        await harness.publish(EVENTS, f"bounce.received.{TENANT}", body)
    await harness.send(*[message(Input("dead", n, 0)) for n in range(3)])
    await heard(harness, CLASSIFIED, 3)
    await eventually(lambda: harness.depth(DEAD_LETTERS), lambda depth: depth == 2)
    assert {letter.body for letter in await harness.take(DEAD_LETTERS)} == bad


def test_the_document_names_all_that_goes_in_and_out() -> None:
    document = str(create(Settings()).asyncapi())
    assert "bounce.classified.{tenant}" in document
    assert "retry.requested.{tenant}.{sender}" in document
    for queue in OWN_QUEUES:
        assert f"classifier.{queue}" in document
