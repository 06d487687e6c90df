"""When a mailing is breached: a table, and laws over counts by minute."""

import functools
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from returpost.contracts.enums import BreachKind, BreachLevel, BreachScope
from services.actions.mailings.stop_signals.domain import (
    DEFAULT,
    MINUTE,
    Breach,
    Counts,
    Levels,
    Thresholds,
    breaches,
    latest,
    needs_others,
    to_signal,
    unsettled,
    windows,
)
from services.actions.mailings.stop_signals.preview import outcomes
from services.actions.mailings.stop_signals.repository.signals import PastMailing
from services.actions.mailings.stop_signals.thresholds import (
    DEFAULT_SETTINGS,
    LevelSettings,
    StopSignals,
    differences,
    settings_of,
)

START = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
OFF = Levels(None, None)
HARD, COMPLAINTS, FAULTS = BreachKind
WARNING, PAUSE = BreachLevel


def at(minute: int) -> datetime:
    return START + minute * MINUTE


def signals(counts: Counts, thresholds: Thresholds = DEFAULT) -> set[tuple[BreachKind, BreachLevel]]:
    return {one.signal for one in breaches({START: counts}, thresholds)}


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (Counts(1000, hard_bounces=49, returned=49), set()),
        (Counts(1000, hard_bounces=50, returned=50), {(HARD, WARNING)}),
        (Counts(1000, hard_bounces=99, returned=99), {(HARD, WARNING)}),
        (Counts(1000, hard_bounces=100, returned=100), {(HARD, WARNING), (HARD, PAUSE)}),
        (Counts(999, hard_bounces=999, returned=999, complaints=999), set()),
        (Counts(1000, returned=1000), set()),
        (Counts(1000, complaints=1), {(COMPLAINTS, WARNING)}),
        (Counts(2000, complaints=1), set()),
        (Counts(2000, returned=1000, complaints=1), {(COMPLAINTS, WARNING)}),
        (Counts(1000, complaints=3), {(COMPLAINTS, WARNING), (COMPLAINTS, PAUSE)}),
        (Counts(1000, returned=1000, complaints=5), set()),
        (Counts(1000, returned=100, sender_faults=100), {(FAULTS, WARNING)}),
        (Counts(1000, returned=250, sender_faults=250), {(FAULTS, WARNING), (FAULTS, PAUSE)}),
        (Counts(), set()),
    ],
)
def test_what_mailbox_providers_act_on(counts: Counts, expected: set[tuple[BreachKind, BreachLevel]]) -> None:
    assert signals(counts) == expected


def test_breach_tells_when_and_by_how_much() -> None:
    minutes = {at(0): Counts(900), at(3): Counts(100, 60, 60), at(9): Counts(0, 40, 40), at(10): Counts(0, 9, 9)}
    assert breaches(minutes, DEFAULT) == [
        Breach(HARD, WARNING, at(4), 60, 1000, 0.05),
        Breach(HARD, PAUSE, at(10), 100, 1000, 0.10),
    ]
    assert [one.level for one in breaches(minutes, DEFAULT, at(10) - timedelta(microseconds=1))] == [WARNING]
    assert breaches(minutes, DEFAULT, at(3)) == []


def test_level_that_is_off_is_never_crossed() -> None:
    off = Thresholds(Levels(None, 0.5), OFF, OFF, least_results=1)
    assert signals(Counts(10, 10, 5, 5, 5), off) == {(HARD, PAUSE)}
    assert signals(Counts(10, 10, 4, 10, 10), off) == set()


def test_what_happened_longer_ago_does_not_count() -> None:
    short = replace(DEFAULT, window=timedelta(minutes=10))
    minutes = {at(0): Counts(1000), at(9): Counts(0, 60, 60)}
    assert len(breaches(minutes, short)) == 1
    assert breaches({at(0): Counts(1000), at(10): Counts(0, 60, 60)}, short) == []
    assert latest({at(0): Counts(1000), at(10): Counts(7, 6, 5)}, short) == Counts(7, 6, 5)
    assert latest({}, short) == Counts()


def test_small_mailing_is_judged_with_the_others() -> None:
    small, clean = {at(5): Counts(200, 30, 30)}, {at(5): Counts(200)}
    others = {at(0): Counts(900, 80, 80)}
    for own, expected in ((small, {(HARD, WARNING), (HARD, PAUSE)}), (clean, set())):
        found = breaches(own, DEFAULT, together=windows(others | own, DEFAULT))
        assert {one.signal for one in found} == expected
        assert {one.scope for one in found} <= {BreachScope.TENANT}
        assert needs_others(own, DEFAULT) == bool(expected)
    assert breaches(small, DEFAULT, together=windows(others | small, DEFAULT))[1].of_results == 1100
    assert breaches(small, DEFAULT, together=windows(small, DEFAULT)) == [], "all together are too few"
    assert breaches(small, DEFAULT, together=windows({at(0): Counts(9_000)} | small, DEFAULT)) == [], (
        "all together do well"
    )
    large = {at(0): Counts(1_000, 20, 20)}
    assert breaches(large, DEFAULT, together=windows({at(0): Counts(5_000, 5_000, 5_000)}, DEFAULT)) == [], (
        "judged alone"
    )


def test_minute_that_goes_on_is_waited_for_unless_a_clock_is_far_ahead() -> None:
    assert unsettled([at(0)], until=at(1) - timedelta(seconds=1), now=at(1))
    assert not unsettled([at(0)], until=at(1), now=at(2))
    assert unsettled([at(5)], until=at(1), now=at(1))
    assert not unsettled([at(60)], until=at(1), now=at(1))


def test_each_breach_is_signalled_once_and_none_of_long_ago() -> None:
    found = breaches({START: Counts(1000, 100, 100)}, DEFAULT)
    assert to_signal(found, (), DEFAULT, at(2)) == found
    assert to_signal(found, {(HARD, WARNING)}, DEFAULT, at(2)) == found[1:]
    assert to_signal(found, [one.signal for one in found], DEFAULT, at(2)) == []
    assert to_signal(found, (), DEFAULT, at(1) + DEFAULT.window) == []


COUNTS = st.builds(
    lambda sent, hard, fault, soft, complaints: Counts(sent, hard + fault + soft, hard, complaints, fault),
    *(st.integers(0, 30), *(st.integers(0, 4),) * 4),
)
MINUTES = st.dictionaries(st.integers(0, 40).map(at), COUNTS, max_size=20)
LEVELS = st.builds(Levels, st.sampled_from([None, 0.01, 0.05, 0.1]), st.sampled_from([None, 0.1, 0.2, 0.5]))
THRESHOLDS = st.builds(
    Thresholds, LEVELS, LEVELS, LEVELS, st.integers(1, 60), st.integers(1, 50).map(lambda n: timedelta(minutes=n))
)


def naive(minutes: Mapping[datetime, Counts], thresholds: Thresholds) -> set[tuple[BreachKind, BreachLevel, datetime]]:
    """The rule as a person would write it down: look at each minute's window anew."""
    first = set()
    for kind in BreachKind:
        for level in BreachLevel:
            limit = thresholds.of(kind).of(level)
            for minute in sorted(minutes):
                inside = [c for m, c in minutes.items() if minute - thresholds.window < m <= minute]
                sent, returned, hard, complaints, faults = (sum(column) for column in zip(*inside, strict=True))
                count, of = {
                    HARD: (hard, sent), COMPLAINTS: (complaints, sent - returned), FAULTS: (faults, sent)
                }[kind]  # fmt: skip
                if limit is not None and sent >= thresholds.least_results and of > 0 and count / of >= limit:
                    first.add((kind, level, minute + MINUTE))
                    break
    return first


@given(MINUTES, THRESHOLDS)
def test_breaches_are_the_first_minutes_over_the_limit(minutes: dict[datetime, Counts], thresholds: Thresholds) -> None:
    found = breaches(minutes, thresholds)
    assert {(one.kind, one.level, one.time) for one in found} == naive(minutes, thresholds)
    assert len({one.signal for one in found}) == len(found)


@given(MINUTES, THRESHOLDS, st.randoms(use_true_random=False))
def test_order_of_minutes_does_not_matter(
    minutes: dict[datetime, Counts], thresholds: Thresholds, chance: object
) -> None:
    items = list(minutes.items())
    chance.shuffle(items)  # type: ignore[attr-defined]
    assert breaches(dict(items), thresholds) == breaches(minutes, thresholds)


@given(MINUTES, MINUTES, THRESHOLDS)
def test_others_are_asked_for_only_when_they_matter(
    minutes: dict[datetime, Counts], others: dict[datetime, Counts], thresholds: Thresholds
) -> None:
    both = [*minutes.items(), *others.items()]
    together = {m: functools.reduce(Counts.plus, (c for n, c in both if n == m)) for m, _ in both}
    found = breaches(minutes, thresholds, together=windows(together, thresholds))
    if not needs_others(minutes, thresholds):
        assert found == breaches(minutes, thresholds)
    alone = {one.signal: one.time for one in breaches(minutes, thresholds)}
    times = {one.signal: one.time for one in found}
    assert all(times[signal] <= time for signal, time in alone.items())


@given(MINUTES, THRESHOLDS, st.lists(st.integers(0, 45), max_size=8))
def test_looking_often_finds_what_looking_once_at_the_end_does(
    minutes: dict[datetime, Counts], thresholds: Thresholds, looks: list[int]
) -> None:
    """In the order of time, however results are batched: what was signalled on the way is what a rebuild finds."""
    said: list[Breach] = []
    for look in [*sorted(looks), 45]:
        seen = {minute: counts for minute, counts in minutes.items() if minute < at(look)}
        found = breaches(seen, thresholds, at(look))
        said += to_signal(found, [one.signal for one in said], replace(thresholds, window=timedelta(days=1)), at(look))
    assert sorted(said, key=repr) == sorted(breaches(minutes, thresholds), key=repr)


@given(MINUTES.filter(bool), THRESHOLDS, st.data())
def test_more_bounces_never_take_a_breach_away(
    minutes: dict[datetime, Counts], thresholds: Thresholds, data: st.DataObject
) -> None:
    minute = data.draw(st.sampled_from(sorted(minutes)))
    more = minutes | {minute: minutes[minute].plus(Counts(hard_bounces=1, returned=1))}
    only = replace(thresholds, complaints=OFF)
    before, after = ({s.signal: s.time for s in breaches(one, only)} for one in (minutes, more))
    assert before.keys() <= after.keys()
    assert all(after[signal] <= time for signal, time in before.items())


@given(THRESHOLDS, st.integers(1, 720))
def test_thresholds_survive_being_set(thresholds: Thresholds, hours: int) -> None:
    tried = replace(thresholds, window=timedelta(hours=hours))
    assert settings_of(tried).thresholds() == tried


def test_thresholds_that_make_no_sense_are_refused() -> None:
    good = DEFAULT_SETTINGS.model_dump()
    for wrong in (
        {"hard_bounces": {"warning": 0.2, "pause": 0.1}},
        {"complaints": {"warning": 0, "pause": 0.1}},
        {"sender_faults": {"warning": 0.1, "pause": 1.1}},
        {"least_results": 0},
        {"window_hours": 721},
        {"more": 1},
    ):
        with pytest.raises(ValidationError):
            StopSignals.model_validate(good | wrong)
    assert LevelSettings(warning=None, pause=0.5).warning is None


def test_changes_are_named() -> None:
    after = DEFAULT_SETTINGS.model_copy(update={"complaints": LevelSettings(pause=0.005), "least_results": 500})
    assert list(differences(DEFAULT_SETTINGS, after)) == [
        ("stop_signals.complaints.warning", "0.001", "off"),
        ("stop_signals.complaints.pause", "0.003", "0.005"),
        ("stop_signals.least_results", "1000", "500"),
    ]


def test_preview_says_who_would_not_have_been_sent_to() -> None:
    bad = PastMailing("m1", None, at(0), {at(0): Counts(1000, 120, 120), at(5): Counts(4000)})
    good = PastMailing("m2", "Spring", at(0), {at(0): Counts(1000, 10, 10)})
    small = PastMailing("m3", None, at(0), {at(1): Counts(20, 5, 5)})
    first, second, third = outcomes([bad, good, small], DEFAULT)
    assert [one.scope for one in third.breaches] == ["tenant"]
    assert (first.paused, first.sent, first.unsent, len(first.breaches)) == (True, 5000, 4000, 2)
    assert (second.paused, second.sent, second.unsent, second.breaches) == (False, 1000, 0, [])
