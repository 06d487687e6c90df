"""The laws, over the real database: the same results in any order, repeated and batched, make the same breaches."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from returpost.contracts import MailingBreached, MailingPause, StormEnded, StormStarted
from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import BreachLevel, Reason, StormKind
from services.actions.mailings.stop_signals.domain import DEFAULT, MINUTE, Breach, Counts, Levels, breaches
from services.actions.mailings.stop_signals.evaluation import evaluate, evaluate_next
from services.actions.mailings.stop_signals.repository import signals, thresholds
from services.actions.mailings.stop_signals.thresholds import settings_of
from shared.database.pool import Pool, connect
from tests.actions.builders import address, apply, erased, moment, result, verdict, wrap
from tests.support.collected import Collected
from tests.support.harness import TENANT, eventually

pytestmark = pytest.mark.services

LIMITS = replace(DEFAULT, hard_bounces=Levels(0.1, 0.3), complaints=Levels(0.1, 0.5), least_results=3)
LATER = moment(60)
HARD = {"hard": Reason.USER_UNKNOWN, "disabled": Reason.ACCOUNT_DISABLED}
SENDERS = {"spam": Reason.SPAM_CONTENT}


@dataclass(frozen=True)
class Input:
    """One thing that happened to a recipient, `minute` minutes after the start."""

    what: str
    recipient: int
    minute: int

    def events(self) -> list[Event[Any]]:
        if self.what in ("sent", "delivered", "complained", "opened"):
            return [result(self.what, self.recipient, self.minute)]
        return [result("bounced", self.recipient, self.minute), judged(self.what, self.recipient, self.minute)]


def judged(what: str, n: int, minute: int) -> Event[Any]:
    """Return a verdict with the reason that the kind of bounce stands for."""
    kind = "soft" if what in ("soft", "spam") else "exhausted" if what == "exhausted" else "hard"
    event = verdict(kind, n, minute)
    reason = (HARD | SENDERS).get(what, event.data.verdict.reason)
    changed = event.data.verdict.model_copy(update={"reason": reason})
    return wrap(event.data.model_copy(update={"verdict": changed}))


def expected(seen: Sequence[Input]) -> dict[datetime, Counts]:
    """Count naively: what became of each recipient over all that happened to it."""
    minutes: dict[datetime, Counts] = defaultdict(Counts)

    def add(minute: int, **more: int) -> None:
        place = moment(minute).replace(second=0)
        minutes[place] = minutes[place].plus(Counts(**more))

    for recipient in {one.recipient for one in seen}:
        last: dict[str, int] = {}
        for one in seen:
            if one.recipient == recipient:
                name = "bounced" if one.what in BOUNCES else one.what
                last[name] = max(one.minute, last.get(name, -1))
        add(last["sent"] if "sent" in last else min(last.values()), sent=1)
        if "complained" in last:
            add(last["complained"], complaints=1)
            continue
        if "bounced" not in last:
            continue
        when = last["bounced"]
        whats = [one.what for one in seen if one.recipient == recipient and one.minute == when and one.what in BOUNCES]
        what = max(whats, key=rank)
        got = ("delivered", "opened") if what in ("hard", "disabled", "exhausted") else ("delivered",)
        if what not in ("hard", "disabled", "exhausted") and "opened" in last:
            continue
        if when > max((last[one] for one in got if one in last), default=-1):
            add(when, returned=1, hard_bounces=int(what in HARD), sender_faults=int(what in SENDERS))
    return dict(minutes)


BOUNCES = ("hard", "disabled", "soft", "spam", "exhausted")


def rank(what: str) -> tuple[bool, str, bool]:
    """Of two verdicts of the same time the greater one holds, as the table of recipients says."""
    data = judged(what, 0, 0).data
    return what in ("hard", "disabled", "exhausted"), data.verdict.reason.value, data.exhausted


async def judge(pool: Pool, now: datetime = LATER) -> list[Event[Any]]:
    """Count and judge the mailing as it is now; return what is published."""
    collected = Collected(pool)
    async with collected.begin() as work:
        await evaluate(work, TENANT, "m1", now, now)
    return collected.events


async def empty(pool: Pool) -> None:
    tables = "recipients, mailings, mailing_senders, mailing_minutes, mailing_breaches, mailing_pauses, statistics_due"
    await pool.execute(f"TRUNCATE {tables}, storms, audit, stop_signal_settings")
    async with pool.acquire() as connection:
        await thresholds.save(connection, TENANT, settings_of(LIMITS), 0, "ann", "", LATER)


async def state(pool: Pool) -> tuple[dict[datetime, Counts], list[Breach]]:
    noticed = await signals.noticed_breaches(pool, TENANT, "m1")
    return await signals.minutes_of(pool, TENANT, "m1"), [one.breach for one in noticed]


async def play(pool: Pool, events: Sequence[Event[Any]], size: int) -> None:
    """Hand in events in batches of one type, in their order."""
    rest = list(events)
    while rest:
        batch = [one for one in rest[:size] if type(one.data) is type(rest[0].data)]
        rest = [one for one in rest if not any(one is taken for taken in batch)]
        await apply(pool, *batch)


INPUTS = st.lists(
    st.builds(
        Input,
        st.sampled_from(["sent", "sent", "delivered", "opened", "complained", *BOUNCES]),
        st.integers(0, 5),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=25,
)


def test_order_repeats_and_batches_change_nothing(database: str) -> None:
    with asyncio.Runner() as runner:
        pool = runner.run(connect(database, "actions", size=2))

        async def law(seen: Sequence[Input], events: Sequence[Event[Any]], size: int) -> None:
            await empty(pool)
            await play(pool, events, size)
            said = await judge(pool)
            minutes, noticed = await state(pool)
            assert minutes == expected(seen)
            assert set(noticed) == set(breaches(expected(seen), LIMITS))
            told = [(one.data.kind, one.data.level) for one in said if isinstance(one.data, MailingBreached)]
            assert sorted(told) == sorted(one.signal for one in noticed)
            pauses = [one for one in said if isinstance(one.data, MailingPause)]
            assert len(pauses) == any(level is BreachLevel.PAUSE for _, level in told)
            assert await judge(pool) == [], "nothing is said twice"
            assert await state(pool) == (minutes, noticed)

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(INPUTS, st.integers(1, 12), st.randoms(use_true_random=False))
        def holds(seen: list[Input], size: int, chance: random.Random) -> None:
            events = [event for one in seen for event in one.events()]
            runner.run(law(seen, events, size))
            again = [*events, *chance.sample(events, len(events) // 2)]
            chance.shuffle(again)
            runner.run(law(seen, again, chance.randint(1, 12)))

        holds()
        runner.run(pool.close())


@pytest.mark.anyio
async def test_bounces_of_a_storm_say_nothing_of_the_list(pool: Pool) -> None:
    await empty(pool)
    for n in range(6):
        for batch in ([result("sent", n, 0)], *([one] for one in Input("hard", n, n).events())):
            await apply(pool, *batch)
    begun = {"storm": "s1", "kind": StormKind.DOMAIN, "value": "example.com", "begun": moment(1)}
    started = wrap(StormStarted(**begun, time=moment(2), bounces=3, of_bounces=3))
    ended = wrap(StormEnded(**begun, time=moment(4)))
    other = wrap(
        StormStarted(**begun | {"storm": "s2", "value": "example.net"}, time=moment(2), bounces=3, of_bounces=3)
    )
    await apply(
        pool,
        ended,
    )
    await apply(pool, started, other, started)
    assert await pool.fetchval("SELECT count(*) FROM statistics_due WHERE counted = 'signals'") == 1
    await judge(pool)
    minutes, _ = await state(pool)
    assert [counts.hard_bounces for _, counts in sorted(minutes.items())] == [1, 0, 0, 0, 1, 1]
    assert sum(counts.returned for counts in minutes.values()) == 6


@pytest.mark.anyio
async def test_small_mailing_is_judged_with_all_of_its_tenant(pool: Pool) -> None:
    await empty(pool)
    for n in range(2):
        for mailing in ("m1", "m2"):
            await apply(pool, result("sent", n, 0, mailing), result("bounced", n, 1, mailing))
    await apply(pool, *(verdict("hard", n, 1, mailing) for n in range(2) for mailing in ("m1", "m2")))
    await apply(pool, *(result("sent", n, 0, "m3", tenant="other") for n in range(9)))
    assert await judge(pool) == [], "of the other one nothing is known yet"
    async with pool.acquire() as connection:
        await signals.count_minutes(connection, TENANT, "m2")
    said = await judge(pool)
    found = {
        (one.data.scope, one.data.count, one.data.of_results) for one in said if isinstance(one.data, MailingBreached)
    }
    assert found == {("tenant", 4, 4)}
    (pause,) = [one.data for one in said if isinstance(one.data, MailingPause)]
    assert "in all mailings together" in pause.why
    assert all(one.scope == "tenant" for one in (await state(pool))[1])


@pytest.mark.anyio
async def test_verdict_waits_for_its_result(pool: Pool) -> None:
    """Verdicts come by another queue: of bounces alone every mailing would be breached."""
    await empty(pool)
    await apply(pool, *(result("sent", n, 0) for n in range(4)))
    await apply(pool, *(verdict("hard", n, 1) for n in range(4)))
    assert await judge(pool) == []
    await apply(pool, *(result("bounced", n, 1) for n in range(4)))
    assert {one.data.level for one in await judge(pool) if isinstance(one.data, MailingBreached)} == set(BreachLevel)


@pytest.mark.anyio
async def test_mailing_of_long_ago_is_recorded_and_not_paused(pool: Pool) -> None:
    await empty(pool)
    for n in range(4):
        for one in Input("hard", n, 1).events():
            await apply(pool, one)
    assert await judge(pool, LATER + DEFAULT.window) == []
    assert len((await state(pool))[1]) == 2
    assert await judge(pool) == [], "not later either, when the clock is set back"


@pytest.mark.anyio
async def test_minute_counts_when_it_has_settled(pool: Pool) -> None:
    await empty(pool)
    for n in range(4):
        for one in Input("hard", n, 1).events():
            await apply(pool, one)
    collected, settle = Collected(pool), timedelta(seconds=30)
    end = moment(1).replace(second=0) + MINUTE

    async def step(now: datetime) -> int:
        await evaluate_next(pool, collected, now, settle, 0)
        return len(collected.events)

    for _ in range(3):
        assert await step(end) == 0
    await eventually(lambda: step(end + settle), lambda said: said > 0)
    await eventually(lambda: due(pool), lambda found: found == 0)


async def due(pool: Pool) -> int:
    found: int = await pool.fetchval(
        "SELECT (SELECT count(*) FROM statistics_due WHERE counted = 'signals') + count(*) FROM statistics_runs "
        "WHERE counted = 'signals' AND horizon IS NOT NULL"
    )
    return found


@pytest.mark.anyio
async def test_erased_recipient_is_counted_no_more(pool: Pool) -> None:
    await empty(pool)
    await apply(pool, *(result("sent", n, 0) for n in range(3)))
    await judge(pool)
    await pool.execute("DELETE FROM statistics_due")
    await apply(pool, erased(0, 5))
    assert await due(pool) == 1, address(0)
    await judge(pool)
    assert sum(counts.sent for counts in (await state(pool))[0].values()) == 2
