"""Rate limits: the buckets as plain arithmetic, and what a caller sees of them."""

import httpx
import pytest
from fastapi import FastAPI

from shared.http.rate_limit import MOST, Buckets, RateLimitMiddleware

KARI, OLA = {"Authorization": "Bearer kari"}, {"Authorization": "Bearer ola"}


def test_a_bucket_is_emptied_at_once_and_fills_steadily() -> None:
    buckets = Buckets(rate=2, burst=3)
    assert [buckets.take(1, 0).left for _ in range(5)] == [2, 1, 0, -1, -1]
    assert buckets.take(2, 0).left == 2
    assert buckets.take(1, 0.25).left == -0.5
    assert buckets.take(1, 0.5).left == 0
    assert buckets.take(1, 0.5).full_in == 1.5
    assert buckets.take(1, 1000).left == 2


def test_a_clock_that_stands_still_gives_nothing_and_refusals_take_nothing() -> None:
    buckets = Buckets(rate=1, burst=1)
    buckets.take(1, 5)
    for _ in range(100):
        buckets.take(1, 5)
    assert buckets.take(1, 6).left == 0


def test_no_more_tokens_are_remembered_than_fit() -> None:
    buckets = Buckets(rate=1, burst=5)
    for token in range(3 * MOST):
        buckets.take(token, 0)
        buckets.take(-1, 0)
    assert len(buckets._levels) == MOST
    assert buckets.take(-1, 0).left < 0  # who asks all the time is not forgotten


@pytest.mark.anyio
async def test_a_caller_is_told_and_refused_and_others_are_not() -> None:
    now = [0.0]
    app = FastAPI()
    app.add_middleware(RateLimitMiddleware, rate=0.5, burst=2, clock=lambda: now[0])

    @app.get("/")
    async def nothing() -> None: ...

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://service") as http:
        first = await http.get("/", headers=KARI)
        assert first.headers["RateLimit-Policy"] == '"token";q=2;w=4'
        assert first.headers["RateLimit"] == '"token";r=1;t=2'
        assert (await http.get("/", headers=KARI)).headers["RateLimit"] == '"token";r=0;t=4'
        refused = await http.get("/", headers=KARI)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
        assert refused.headers["content-type"] == "application/problem+json"
        assert (await http.get("/", headers=OLA)).status_code == 200
        assert all([(await http.get("/")).status_code == 200 for _ in range(5)])
        now[0] = float(refused.headers["Retry-After"])
        assert (await http.get("/", headers=KARI)).status_code == 200
