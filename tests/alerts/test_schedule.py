"""When messages go out: quiet hours and digests over clocks that are set forward and back, bursts, retries."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from services.alerts.domain.schedule import (
    BURST,
    BURST_TIME,
    MINUTE,
    PAUSES,
    Quiet,
    digest_at,
    next_message,
    pause_after,
    quiet_until,
)

OSLO = "Europe/Oslo"
ZONES = st.sampled_from([OSLO, "UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Havana"])
"""Lord Howe moves by half an hour, Havana at midnight."""
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
NEAR_CHANGES = st.sampled_from(
    [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2026, 11, 1, 5, tzinfo=UTC)]
).flatmap(lambda at: st.integers(-300, 300).map(lambda minutes: at + timedelta(minutes=minutes)))
"""Around the hours at which Norway's and New York's clocks are set."""
WALL = st.builds(time, st.integers(0, 23), st.integers(0, 59))
QUIET = st.builds(Quiet, WALL, WALL).filter(lambda quiet: quiet.start != quiet.end)


def wall(text: str) -> time:
    return time.fromisoformat(text)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-12-01T21:59+01:00", "2026-12-01T21:59+01:00"),
        ("2026-12-01T22:00+01:00", "2026-12-02T07:00+01:00"),
        ("2026-12-02T06:59+01:00", "2026-12-02T07:00+01:00"),
        ("2026-12-02T07:00+01:00", "2026-12-02T07:00+01:00"),
        ("2026-03-28T23:00+01:00", "2026-03-29T07:00+02:00"),  # an hour shorter: clocks go forward
        ("2026-10-24T23:00+02:00", "2026-10-25T07:00+01:00"),  # an hour longer: clocks go back
    ],
)
def test_quiet_hours_end_by_the_clock_on_the_wall(now: str, until: str) -> None:
    assert quiet_until(at(now), OSLO, Quiet(wall("22:00"), wall("07:00"))) == at(until)


@pytest.mark.parametrize(
    ("end", "until"),
    [("02:30", "2026-03-29T03:00+02:00"), ("03:00", "2026-03-29T03:00+02:00"), ("03:30", "2026-03-29T03:30+02:00")],
)
def test_quiet_hours_end_at_once_when_their_end_is_skipped(end: str, until: str) -> None:
    assert quiet_until(at("2026-03-29T01:00+01:00"), OSLO, Quiet(wall("00:00"), wall(end))) == at(until)


@given(st.one_of(MOMENTS, NEAR_CHANGES), ZONES, QUIET)
@settings(max_examples=150)
def test_quiet_until_is_the_first_minute_that_is_not_quiet(now: datetime, zone: str, quiet: Quiet) -> None:
    def holds(moment: datetime) -> bool:
        return quiet.holds(moment.astimezone(ZoneInfo(zone)))

    end = quiet_until(now, zone, quiet)
    assert end >= now
    assert not holds(end)
    assert end == now or holds(end - MINUTE)
    assert quiet_until(end, zone, quiet) == end
    assert end - now <= timedelta(hours=25)


@given(st.one_of(MOMENTS, NEAR_CHANGES), ZONES, WALL)
@settings(max_examples=150)
def test_daily_digest_goes_out_once_a_local_day(now: datetime, zone: str, daily: time) -> None:
    place = ZoneInfo(zone)
    first = digest_at(now, zone, timedelta(days=1), daily)
    second = digest_at(first, zone, timedelta(days=1), daily)
    assert now < first <= now + timedelta(hours=25, minutes=1)
    assert timedelta(hours=22) < second - first < timedelta(hours=26)
    local = first.astimezone(place)
    skipped = (local - timedelta(hours=1)).astimezone(UTC) and local.replace(tzinfo=None)
    assert local.time() == daily or skipped.time() > daily  # the time on the wall may be skipped that day
    assert second.astimezone(place).date() > local.date()


@given(MOMENTS)
def test_hourly_digest_goes_out_at_the_next_full_hour(now: datetime) -> None:
    then = digest_at(now, "UTC", timedelta(hours=1), wall("08:00"))
    assert timedelta(0) < then - now <= timedelta(hours=1)
    assert (then.minute, then.second) == (0, 0)


@given(st.lists(st.integers(0, 3_600), min_size=1, max_size=60))
def test_no_channel_gets_more_than_a_burst_in_its_time(arrivals: list[int]) -> None:
    """Whatever arrives when: messages that are formed as early as they may be stay within the bound."""
    begin = datetime(2026, 12, 1, tzinfo=UTC)
    formed: list[datetime] = []
    for second in sorted(arrivals):
        now = begin + timedelta(seconds=second)
        if next_message(formed, now) <= now:
            formed.append(now)
    for start in formed:
        assert sum(start <= one < start + BURST_TIME for one in formed) <= BURST
    assert formed[0] == begin + timedelta(seconds=min(arrivals))


@given(st.integers(1, 20), st.floats(0, 1), st.one_of(st.none(), st.integers(0, 10**6)))
def test_a_failed_message_is_tried_again_and_given_up(attempts: int, chance: float, wish: int | None) -> None:
    pause = pause_after(attempts, None if wish is None else timedelta(seconds=wish), chance)
    if attempts > len(PAUSES):
        assert pause is None
    else:
        assert pause is not None
        assert 0.9 * PAUSES[attempts - 1] <= pause <= max(1.1 * PAUSES[attempts - 1], timedelta(hours=6))
