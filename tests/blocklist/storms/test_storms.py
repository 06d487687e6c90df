"""Storms: the rules by laws; the service in two: a wrong SPF record, and a provider that rejects everything."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from returpost.contracts import BounceClassified, DeliveryRecorded, Verdict, ids
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.enums import Fault, Reason, Result, StormKind, VerdictType
from services.blocklist.address_state.domain import FOREVER, Bounce
from services.blocklist.app import create
from services.blocklist.settings import Settings
from services.blocklist.storms.domain import Limits, Storm, StormState, Suspect, Window, dominating, merged, sudden
from tests.support.harness import TENANT, Harness, RunningService, eventually

LIMITS = Limits()
SPF = Suspect(StormKind.REASON, "auth_failed")
FREEMAIL = Suspect(StormKind.DOMAIN, "freemail.example")
OTHER = Suspect(StormKind.DOMAIN, "other.example")
suspects = st.sampled_from([SPF, FREEMAIL, OTHER])
blamed = st.sampled_from([(FREEMAIL,), (OTHER,), (FREEMAIL, SPF), (OTHER, SPF)])
windows = st.builds(
    lambda by, arrived: Window(sum(by.values()), by, arrived),
    st.dictionaries(blamed, st.integers(0, 200)),
    st.dictionaries(suspects, st.integers(0, 200)),
)
storms_that_go_on = st.frozensets(suspects)


def dominant(window: Window, ongoing: frozenset[Suspect] = frozenset()) -> set[Suspect]:
    return {one.suspect for one in dominating(window, LIMITS, ongoing)}


@given(windows, storms_that_go_on)
def test_what_dominates_made_enough_bounces_and_most_of_them(window: Window, ongoing: frozenset[Suspect]) -> None:
    for one in dominating(window, LIMITS, ongoing):
        its = sum(count for whose, count in window.by.items() if one.suspect in whose)
        assert LIMITS.bounces <= one.count <= its
        assert one.count * 2 >= one.bounces <= window.bounces


@given(windows, suspects, st.integers(1, 100), storms_that_go_on)
def test_deliveries_never_make_a_storm_and_more_bounces_never_end_one(
    window: Window, suspect: Suspect, more: int, ongoing: frozenset[Suspect]
) -> None:
    before = dominant(window, ongoing)
    arrived = Window(window.bounces, window.by, {**window.delivered, suspect: window.delivered.get(suspect, 0) + more})
    assert dominant(arrived, ongoing) <= before
    worse = merged([window, Window(more, {(suspect,): more}, {})])
    assert suspect not in before or suspect in dominant(worse, ongoing)


@given(windows, storms_that_go_on)
def test_other_storms_hide_none_and_end_none(window: Window, ongoing: frozenset[Suspect]) -> None:
    for storm in dominant(window) & ongoing:
        assert storm in dominant(window, ongoing)


@pytest.mark.parametrize(
    ("by", "ongoing", "found"),
    [
        ({(OTHER, SPF): 300, (FREEMAIL,): 100}, frozenset(), {SPF, OTHER}),
        ({(OTHER, SPF): 300, (FREEMAIL,): 100}, {SPF}, {SPF, FREEMAIL}),
        ({(FREEMAIL, SPF): 300, (OTHER,): 10}, {SPF}, {SPF}),
        ({(FREEMAIL, SPF): 300, (OTHER,): 10}, {SPF, FREEMAIL}, {SPF, FREEMAIL}),
        ({(OTHER, SPF): 300, (FREEMAIL,): 40}, {SPF}, {SPF}),
    ],
    ids=["the larger", "beneath it", "the same bounces", "both noticed", "too few"],
)
def test_a_large_storm_hides_no_small_one(
    by: dict[tuple[Suspect, ...], int], ongoing: frozenset[Suspect], found: set[Suspect]
) -> None:
    assert dominant(Window(sum(by.values()), by), frozenset(ongoing)) == found


@given(st.lists(windows, max_size=5), st.randoms(use_true_random=False))
def test_windows_add_up_in_any_order(parts: list[Window], chance: Any) -> None:
    whole = merged(parts)
    chance.shuffle(parts)
    assert merged(parts) == whole


@pytest.mark.parametrize(
    ("now", "usual", "answer"),
    [
        ((95, 100), (0, 0), True),
        ((60, 100), (600, 1000), False),
        ((95, 100), (600, 1000), True),
        ((50, 100), (300, 1000), False),
        ((50, 100), (100, 1000), True),
        ((100, 100), (1000, 1000), False),
    ],
)
def test_what_is_usual_is_no_storm(now: tuple[int, int], usual: tuple[int, int], answer: bool) -> None:
    assert sudden(*now, *usual, LIMITS) is answer


NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "minute", "covered"),
    [
        (StormState.HELD, 4, False),
        (StormState.HELD, 5, True),
        (StormState.HELD, 60, False),
        (StormState.LIFTED, -1, False),
        (StormState.LIFTED, 0, True),
        (StormState.LIFTED, 59, True),
        (StormState.COUNTED, 30, False),
    ],
)
def test_a_storm_keeps_its_own_bounces_from_counting(state: StormState, minute: int, covered: bool) -> None:
    storm = Storm("s", FREEMAIL, NOON, NOON + timedelta(minutes=5), NOON + timedelta(hours=1), state)
    time = NOON + timedelta(minutes=minute)
    assert storm.covers(Bounce("m", Reason.USER_UNKNOWN, time, True), "freemail.example") is covered
    assert not storm.covers(Bounce("m", Reason.USER_UNKNOWN, time, True), "other.example")
    assert not storm.covers(Bounce("m", Reason.COMPLAINT, time), "freemail.example")
    assert storm.ended < FOREVER


class Clock:
    """The time, as the test has it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass
class Sky:
    """The service with a clock of its own."""

    harness: Harness
    running: RunningService
    clock: Clock

    async def bounces(self, numbers: range, reason: Reason, mailing: str, domain: str | None = None) -> None:
        """Let these addresses bounce now."""
        fault = Fault.RECIPIENT if reason is Reason.USER_UNKNOWN else Fault.SENDER
        dead = reason is Reason.USER_UNKNOWN
        verdict = Verdict(
            type=VerdictType.HARD, reason=reason, fault=fault, confidence=0.9, dead_address=dead, rule="test.rule"
        )
        await self.harness.send(
            *(
                self._event(
                    BounceClassified(
                        mailing=mailing,
                        address=f"u{n}@{domain or f'd{n % 50}.example'}",
                        time=self.clock.now - timedelta(seconds=1),
                        sender="default",
                        verdict=verdict,
                        attempt=0,
                    )
                )
                for n in numbers
            )
        )

    async def deliveries(self, numbers: range, mailing: str, domain: str) -> None:
        """Let a mailing arrive at these addresses now; wait until that is known."""
        data = [
            DeliveryRecorded(
                mailing=mailing,
                address=f"u{n}@{domain}",
                time=self.clock.now,
                sender="default",
                result=Result.DELIVERED,
            )
            for n in numbers
        ]
        await self.harness.send(*map(self._event, data), detail="delivered")
        known = "SELECT count(*) AS n FROM addresses WHERE last_delivered = $1"
        await eventually(
            lambda: self.harness.fetch("blocklist", known, self.clock.now), lambda rows: rows[0]["n"] == len(numbers)
        )

    def _event(self, data: Any) -> Event[Any]:
        return event(data, id=ids.of_content(repr(data)), source="/test", tenant=TENANT)

    async def storms(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.running.http.get("/v1/storms")).json()["items"]
        return found

    async def blocked(self) -> int:
        counted = (await self.running.http.get("/v1/counts")).json()["items"]
        return sum(row["blocked"] for row in counted)

    async def lines(self, number: int) -> None:
        """Wait until so many bounces are known."""

        async def look() -> int:
            rows = await self.harness.fetch("blocklist", "SELECT count(*) FROM history")
            return int(rows[0][0])

        await eventually(look, lambda seen: seen >= number)

    async def idle(self) -> None:
        """Wait until nothing is left to do in the background."""

        async def look() -> bool:
            page = (await self.running.http.get("/v1/jobs")).json()
            return all(one["finished_at"] for one in page["items"])

        await eventually(look)

    async def judged(self, storm: str, state: str) -> dict[str, Any]:
        answer = await self.running.http.post(f"/v1/storms/{storm}", json={"state": state, "note": "it was them"})
        assert answer.status_code == 202, answer.text
        id_ = answer.json()["id"]

        async def look() -> Any:
            return (await self.running.http.get(f"/v1/jobs/{id_}")).json()

        found: dict[str, Any] = await eventually(look, lambda seen: seen["finished_at"] is not None)
        return found


@pytest.fixture
async def sky(harness: Harness) -> AsyncIterator[Sky]:
    clock = Clock()
    interval = timedelta(milliseconds=50)
    async with harness.running(create, Settings, "blocklist", clock, storm_interval=interval) as running:
        yield Sky(harness, running, clock)


@pytest.mark.anyio
@pytest.mark.services
async def test_a_wrong_spf_record_blocks_nobody_for_long(sky: Sky) -> None:
    answer = await sky.running.http.put("/v1/settings", json={"accepted_bounces": 0})
    assert answer.status_code == 200, answer.text
    await sky.bounces(range(120), Reason.AUTH_FAILED, "m1")
    (storm,) = await eventually(sky.storms)
    assert (storm["kind"], storm["value"], storm["state"]) == ("reason", "auth_failed", "held")
    blocked_before = await sky.blocked()
    assert blocked_before == 120
    sky.clock.forward(minutes=1)
    await sky.bounces(range(200, 500), Reason.AUTH_FAILED, "m1")
    await sky.bounces(range(600, 605), Reason.USER_UNKNOWN, "m1")
    await sky.lines(425)
    await eventually(sky.blocked, lambda seen: seen == blocked_before + 5)
    await sky.idle()
    shown = (await sky.running.http.get(f"/v1/storms/{storm['id']}")).json()
    assert shown["blocked"] == blocked_before
    lifted = await sky.judged(storm["id"], "lifted")
    assert (lifted["freed"], lifted["note"]) == (blocked_before, "it was them")
    assert await sky.blocked() == 5
    taken_back = await sky.judged(storm["id"], "held")
    assert taken_back["blocked"] == blocked_before


@pytest.mark.anyio
@pytest.mark.services
async def test_a_provider_that_rejects_everything_for_an_hour(sky: Sky) -> None:
    await sky.deliveries(range(100), "m0", "freemail.example")
    sky.clock.forward(hours=20)
    for minute in range(6):
        start = minute * 60
        await sky.bounces(range(start, start + 60), Reason.USER_UNKNOWN, "m1", "freemail.example")
        await sky.lines(start + 60)
        if minute == 0:
            (storm,) = await eventually(sky.storms)
        sky.clock.forward(minutes=10)
    assert (storm["kind"], storm["value"]) == ("domain", "freemail.example")
    assert await sky.blocked() == 60
    sky.clock.forward(minutes=31)
    (over,) = await eventually(sky.storms, lambda seen: seen[0]["ended"] is not None)
    await sky.judged(over["id"], "lifted")
    assert await sky.blocked() == 0
    sky.clock.forward(days=1)
    await sky.bounces(range(1), Reason.USER_UNKNOWN, "m2", "freemail.example")
    await eventually(sky.blocked, lambda seen: seen == 1)


@pytest.mark.anyio
@pytest.mark.services
async def test_a_provider_that_rejects_everything_in_a_larger_storm(sky: Sky) -> None:
    await sky.bounces(range(400), Reason.AUTH_FAILED, "m1")
    await eventually(sky.storms)
    sky.clock.forward(minutes=1)
    await sky.bounces(range(1_000, 1_100), Reason.USER_UNKNOWN, "m1", "freemail.example")
    storms = await eventually(sky.storms, lambda seen: len(seen) == 2)
    assert {(storm["kind"], storm["value"]) for storm in storms} == {
        ("reason", "auth_failed"), ("domain", "freemail.example"),
    }  # fmt: skip


@pytest.mark.anyio
@pytest.mark.services
async def test_dead_addresses_of_a_large_provider_are_no_storm(sky: Sky) -> None:
    await sky.deliveries(range(1_000), "m1", "freemail.example")
    await sky.bounces(range(2_000, 2_100), Reason.USER_UNKNOWN, "m1", "freemail.example")
    await eventually(sky.blocked, lambda seen: seen == 100)
    assert await sky.storms() == []
