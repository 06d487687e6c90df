"""Tokens that end soon: who is told of, when, and how often."""

from datetime import UTC, datetime, timedelta

import pytest

from services.actions.users.expiring import FIRST, LAST, SHORT_LIVED, notice, warn_of_expiring
from tests.support.harness import TENANT, Harness, RunningService, eventually

NOW = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("lived", "left", "which"),
    [
        (SHORT_LIVED, FIRST + timedelta(seconds=1), 0),
        (SHORT_LIVED, FIRST, 1),
        (SHORT_LIVED, LAST + timedelta(seconds=1), 1),
        (SHORT_LIVED, LAST, 2),
        (SHORT_LIVED, timedelta(0), 0),
        (timedelta(days=365), timedelta(hours=1), 2),
        (SHORT_LIVED - timedelta(seconds=1), timedelta(hours=1), 0),
    ],
)
def test_a_token_is_told_of_twice_before_it_ends(lived: timedelta, left: timedelta, which: int) -> None:
    assert notice(NOW + left - lived, NOW + left, NOW) == which


@pytest.mark.anyio
async def test_expiring_tokens_are_published_under_the_same_id(harness: Harness, actions: RunningService) -> None:
    """A session is no token, and a revoked one is nobody's any more."""
    now = datetime.now(UTC)
    add = """INSERT INTO tokens (id, kind, tenant, name, scopes, issued_by, issued_at, expires_at, revoked_at)
             VALUES (gen_random_uuid(), $1, $2, $3, '{send}', 'kari', $4, $5, $6)"""
    issued, soon = now - timedelta(days=60), now + timedelta(days=9)
    for kind, tenant, name, ends, revoked in (
        ("token", TENANT, "newsletter", soon, None),
        ("token", "*", "everything", soon, None),
        ("token", TENANT, "later", now + timedelta(days=90), None),
        ("token", TENANT, "revoked", soon, now),
        ("session", TENANT, "ola", soon, None),
    ):
        await harness.fetch("actions", add, kind, tenant, name, issued, ends, revoked)
    for _ in range(2):  # and the service itself does so when it starts, perhaps before all of this is there
        await warn_of_expiring(actions.service.uow_factory, now)
    await eventually(lambda: harness.depth("alerts.secret-expiring"), lambda depth: depth >= 4)
    told = await harness.take_events("alerts.secret-expiring")
    assert {(one["tenant"], one["data"]["name"]) for one in told} == {
        (TENANT, "newsletter"), ("all-tenants", "everything"),
    }  # fmt: skip
    assert len({one["id"] for one in told}) == 2
