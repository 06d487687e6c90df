"""Revoked tokens: what is heard of them, what is forgotten, and that nothing holds the rest up."""

from datetime import UTC, datetime, timedelta

import pytest

from returpost.contracts import TokenRevoked
from returpost.contracts.cloudevents import encode, event
from shared.http.revocations import FORGET_ABOVE, Revocations

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def revoked(token: str, end: datetime = NOW + HOUR) -> TokenRevoked:
    return TokenRevoked(token=token, expires_at=end)


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now.timestamp()


def test_a_token_that_is_over_is_not_kept() -> None:
    revocations = Revocations(Clock())
    revocations.add(revoked("over", NOW - HOUR))
    revocations.add(revoked("good"))
    assert "over" not in revocations
    assert "good" in revocations
    assert None not in revocations


def test_tokens_are_forgotten_when_they_would_have_ended() -> None:
    clock = Clock()
    revocations = Revocations(clock)
    for n in range(FORGET_ABOVE - 1):
        revocations.add(revoked(f"short {n}"))
    clock.now += 2 * HOUR
    revocations.add(revoked("long", NOW + 100 * HOUR))
    assert len(revocations) == 1
    assert "long" in revocations


def test_many_that_are_not_over_are_all_kept() -> None:
    revocations = Revocations(Clock())
    for n in range(5 * FORGET_ABOVE):
        revocations.add(revoked(str(n)))
    assert len(revocations) == 5 * FORGET_ABOVE


@pytest.mark.parametrize("body", [b"", b"nonsense", b"{}", b"[]", b"\xff", b'[{"data": {"token": 1}}]', b"null"])
def test_what_is_not_understood_holds_up_nothing(body: bytes) -> None:
    revocations = Revocations(Clock())
    revocations.add_all(body)
    body, _ = encode([event(revoked("good"), id="1", source="/returpost/actions", tenant="acme")])
    revocations.add_all(body)
    assert len(revocations) == 1
    assert "good" in revocations
