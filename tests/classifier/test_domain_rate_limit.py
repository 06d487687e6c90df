"""The limit of each receiving domain: properties of the split into now and later."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from services.classifier.domain.domain_rate_limit import MINUTE, TenantDomain, minute_of, split

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
DOMAINS: list[TenantDomain] = [("acme", "example.com"), ("acme", "example.org"), ("rival", "example.com")]


def due(*numbers: int) -> list[tuple[bytes, TenantDomain]]:
    return [
        (bytes([domain, n % 256, n // 256]), DOMAINS[domain])
        for domain, many in enumerate(numbers)
        for n in range(many)
    ]


@given(
    st.lists(st.integers(0, 60), min_size=3, max_size=3),
    st.integers(0, 20),
    st.integers(0, 20),
    st.lists(st.integers(0, 30), min_size=3, max_size=3),
)
def test_split_keeps_limits_and_loses_nothing(numbers: list[int], acme: int, rival: int, had: list[int]) -> None:
    limits, before = {"acme": acme, "rival": rival}, dict(zip(DOMAINS, had, strict=True))
    waiting = due(*numbers)
    found = split(waiting, before, limits, MOMENT)
    assert sorted([*found.now, *found.postponed]) == sorted(recipient for recipient, _ in waiting)
    for domain in DOMAINS:
        limit = limits[domain[0]]
        own = [recipient for recipient, its in waiting if its == domain]
        going = sum(recipient in found.now for recipient in own)
        assert going == found.issued.get(domain, 0)
        if not limit:
            assert going == len(own)
            continue
        assert going == min(len(own), max(0, limit - before[domain]))
        minutes = Counter(minute_of(found.postponed[recipient]) for recipient in own if recipient in found.postponed)
        assert all(count <= limit for count in minutes.values())
        assert set(minutes) == {minute_of(MOMENT) + (n + 1) * MINUTE for n in range(len(minutes))}


def test_split_spreads_postponed_retries() -> None:
    found = split(due(500, 0, 0), {}, {"acme": 100, "rival": 100}, MOMENT)
    assert len({moment.replace(microsecond=0) for moment in found.postponed.values()}) > 150
    assert max(found.postponed.values()) < minute_of(MOMENT) + 5 * MINUTE + timedelta(seconds=1)
