"""No herd on one receiving domain: the laws of sharing out."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from services.classifier.pace import MINUTE, Place, minute_of, share

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
PLACES: list[Place] = [("acme", "example.com"), ("acme", "example.org"), ("rival", "example.com")]


def due(*numbers: int) -> list[tuple[bytes, Place]]:
    return [
        (bytes([place, n % 256, n // 256]), PLACES[place]) for place, many in enumerate(numbers) for n in range(many)
    ]


@given(
    st.lists(st.integers(0, 60), min_size=3, max_size=3),
    st.integers(0, 20),
    st.integers(0, 20),
    st.lists(st.integers(0, 30), min_size=3, max_size=3),
)
def test_nobody_gets_more_than_its_limit_and_nobody_is_forgotten(
    numbers: list[int], acme: int, rival: int, had: list[int]
) -> None:
    limits, before = {"acme": acme, "rival": rival}, dict(zip(PLACES, had, strict=True))
    waiting = due(*numbers)
    shared = share(waiting, before, limits, MOMENT)
    assert sorted([*shared.now, *shared.later]) == sorted(recipient for recipient, _ in waiting)
    for place in PLACES:
        limit = limits[place[0]]
        own = [recipient for recipient, its in waiting if its == place]
        going = sum(recipient in shared.now for recipient in own)
        assert going == shared.issued.get(place, 0)
        if not limit:
            assert going == len(own)
            continue
        assert going == min(len(own), max(0, limit - before[place]))
        minutes = Counter(minute_of(shared.later[recipient]) for recipient in own if recipient in shared.later)
        assert all(count <= limit for count in minutes.values())
        assert set(minutes) == {minute_of(MOMENT) + (n + 1) * MINUTE for n in range(len(minutes))}


def test_those_that_wait_do_not_come_back_in_one_second() -> None:
    shared = share(due(500, 0, 0), {}, {"acme": 100, "rival": 100}, MOMENT)
    assert len({moment.replace(microsecond=0) for moment in shared.later.values()}) > 150
    assert max(shared.later.values()) < minute_of(MOMENT) + 5 * MINUTE + timedelta(seconds=1)
