"""Whole domains: blocked, lifted, ended and looked up; in checks, feeds, snapshots and events at once."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from returpost.client.checks import Checks
from returpost.client.stream import BlockStream
from returpost.contracts import DomainBlocked
from services.blocklist.app import create
from services.blocklist.checks.check import MANY
from services.blocklist.settings import Settings
from shared.http.auth import ALL_TENANTS
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]


class Clock:
    """A time that the test moves."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def blocklist(harness: Harness, clock: Clock) -> AsyncIterator[RunningService]:
    every = {"expiry_interval": timedelta(milliseconds=20)}
    async with harness.running(create, Settings, "blocklist", clock, **every) as running:
        running.http.headers["Authorization"] = f"Bearer {harness.token(tenant=ALL_TENANTS)}"
        yield running


async def post(running: RunningService, path: str, tenant: str = TENANT, **body: Any) -> None:
    answer = await running.http.post(path, json=body, params={"tenant": tenant})
    assert answer.is_success, answer.text


async def get(running: RunningService, path: str, **params: Any) -> Any:
    answer = await running.http.get(path, params={"tenant": TENANT} | params)
    assert answer.is_success, answer.text
    return answer.json()


async def check(running: RunningService, *addresses: str, tenant: str = TENANT) -> dict[str, tuple[Any, ...]]:
    """Return cause, other causes and domain of whom to skip."""
    answer = await running.http.post("/v1/check", json={"addresses": addresses}, params={"tenant": tenant})
    return {one["address"]: (one["cause"], one["also"], one.get("domain")) for one in answer.json()["skip"]}


async def check_file(running: RunningService, *addresses: str) -> dict[str, tuple[Any, ...]]:
    headers = {"Content-Type": "text/plain"}
    body = "".join(f"{address}\n" for address in addresses)
    answer = await running.http.post("/v1/check", content=body, params={"tenant": TENANT}, headers=headers)
    *lines, last = map(json.loads, answer.text.splitlines())
    assert last == {"checked": len(addresses), "skip": len(lines), "invalid": 0}
    return {one["address"]: (one["cause"], one["also"], one.get("domain")) for one in lines}


EVERYBODY = (
    "Ann@Gone.example",
    "bob@mail.gone.example",
    "cid@a.b.closed.example",
    "dan@closed.example",
    "eva@other.example",
)


async def test_a_domain_and_a_pattern_are_skipped_until_lifted(blocklist: RunningService) -> None:
    assert await check(blocklist, *EVERYBODY) == {}
    await post(blocklist, "/v1/domain-blocks", domains=["Gone.example", "*.closed.example"], note="closed down")
    await post(blocklist, "/v1/domain-blocks", tenant="other", domains=["other.example"], note="theirs")
    await post(blocklist, "/v1/blocks", addresses=["ann@gone.example"])
    wanted = {
        "Ann@Gone.example": ("manual", ["domain"], "gone.example"),
        "cid@a.b.closed.example": ("domain", None, "*.closed.example"),
    }
    assert await check(blocklist, *EVERYBODY) == wanted
    assert await check_file(blocklist, *EVERYBODY) == wanted
    assert set(await check(blocklist, *EVERYBODY, tenant="other")) == {"eva@other.example"}

    many = [f"u{n}@other.example" for n in range(MANY + 1)]
    for _ in range(2):  # without the filter, and with it
        assert await check(blocklist, *many, *EVERYBODY) == wanted

    await post(blocklist, "/v1/domain-blocks/lift", domains=["gone.example", "*.closed.example"], note="reopened")
    assert await check(blocklist, *EVERYBODY) == {"Ann@Gone.example": ("manual", None, None)}
    assert await check_file(blocklist, *EVERYBODY) == {"Ann@Gone.example": ("manual", None, None)}


async def test_another_process_knows_at_once(harness: Harness, blocklist: RunningService) -> None:
    async with harness.running(create, Settings, "blocklist") as second:
        for domain in ("gone.example", "closed.example"):
            address = f"ann@{domain}"
            assert await check(second, address) == {}
            await post(blocklist, "/v1/domain-blocks", domains=[domain], note="closed")
            assert set(await check(second, address)) == {address}
            await post(blocklist, "/v1/domain-blocks/lift", domains=[domain], note="open")
            assert await check(second, address) == {}


async def test_a_block_ends_by_itself_and_is_told(harness: Harness, blocklist: RunningService, clock: Clock) -> None:
    until = (clock.now + timedelta(days=1)).isoformat()
    await post(blocklist, "/v1/domain-blocks", domains=["*.gone.example"], note="for a day", until=until)
    await post(blocklist, "/v1/domain-blocks", domains=["*.gone.example"], note="for a day, again", until=until)
    assert set(await check(blocklist, "a@b.gone.example", "a@gone.example")) == {"a@b.gone.example"}
    page = await get(blocklist, "/v1/domain-blocks")
    assert [(one["domain"], one["note"]) for one in page["items"]] == [("*.gone.example", "for a day, again")]
    lines = (await blocklist.http.get("/v1/blocks/snapshot", params={"tenant": TENANT})).text.splitlines()
    assert [json.loads(line)[0] for line in lines[1:-1]] == ["@*.gone.example"]
    assert json.loads(lines[-1]) == {"count": 1}

    clock.now += timedelta(days=2)
    assert await check(blocklist, "a@b.gone.example") == {}

    async def told() -> list[tuple[Any, ...]]:
        feed = await get(blocklist, "/v1/block-events")
        return [(one["type"], one["domain"], one["cause"], one.get("address")) for one in feed["events"]]

    await eventually(told, lambda seen: seen == [("domain.unblocked", "*.gone.example", "expired", None)])
    async for part in BlockStream(harness.amqp_url, TENANT).read():
        (first,) = part.events
        assert isinstance(first.data, DomainBlocked)
        assert (first.data.domain, first.data.note) == ("*.gone.example", "for a day")
        break


async def test_a_page_of_the_feed_goes_on_where_it_ended(blocklist: RunningService) -> None:
    for n in range(5):
        await post(blocklist, "/v1/blocks", addresses=[f"u{n}@example.com"])
        await post(blocklist, "/v1/domain-blocks", domains=[f"d{n}.example", f"*.d{n}.example"], note="gone")
    seen, after, more = list[str](), "", True
    while more:
        page = await get(blocklist, "/v1/block-events", after=after, limit=1)
        seen += [one.get("address") or one["domain"] for one in page["events"]]
        after, more = page["next_after"], page["more"]
    assert seen == [each for n in range(5) for each in seen[3 * n : 3 * n + 3]]
    assert sorted(seen) == sorted(
        each for n in range(5) for each in (f"u{n}@example.com", f"d{n}.example", f"*.d{n}.example")
    )
    assert len(seen) == 15


async def test_a_domain_is_looked_up_with_its_history(blocklist: RunningService) -> None:
    await post(blocklist, "/v1/domain-blocks", domains=["*.gone.example"], note="closed down")
    found = await get(blocklist, "/v1/domain-blocks/mail.gone.example")
    assert (found["blocked"], found["pattern"], found["note"]) == (True, "*.gone.example", "closed down")
    assert not (await get(blocklist, "/v1/domain-blocks/gone.example"))["blocked"]
    assert (await get(blocklist, "/v1/domain-blocks/*.mail.gone.example"))["pattern"] == "*.gone.example"
    why = await get(blocklist, "/v1/addresses/ann@mail.gone.example")
    assert (why["blocked"], why["cause"], why["causes"]) == (True, "domain", ["domain"])
    assert why["why"] == "Blocked since its domain is (*.gone.example), by test: closed down."
    await post(blocklist, "/v1/blocks", addresses=["ann@mail.gone.example"], note="asked")
    why = await get(blocklist, "/v1/addresses/ann@mail.gone.example")
    assert why["why"] == "Blocked by test: asked; also: domain *.gone.example."

    await post(blocklist, "/v1/domain-blocks/lift", domains=["*.gone.example"], note="reopened")
    found = await get(blocklist, "/v1/domain-blocks/mail.gone.example")
    assert (found["blocked"], found["pattern"]) == (False, None)
    assert [(one["note"], one["lift_note"], one["lift_cause"]) for one in found["history"]] == [
        ("closed down", "reopened", "lifted")
    ]
    async with blocklist.service.pool.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM domain_blocks WHERE tenant <> $1", TENANT) == 0


async def test_what_makes_no_sense_is_refused(blocklist: RunningService, subtests: pytest.Subtests) -> None:
    bodies: tuple[dict[str, Any], ...] = (
        {"domains": ["ann@example.com"], "note": "x"},
        {"domains": ["*"], "note": "x"},
        {"domains": [], "note": "x"},
        {"domains": ["example.com"]},
        {"domains": ["example.com"], "note": ""},
        {"domains": ["example.com"], "note": "x", "until": "2020-01-01T00:00:00Z"},
    )
    for body in bodies:
        with subtests.test(body=body):
            answer = await blocklist.http.post("/v1/domain-blocks", json=body, params={"tenant": TENANT})
            assert answer.status_code == 422, answer.text
            assert (await get(blocklist, "/v1/domain-blocks"))["items"] == []


async def test_no_stream_is_exempt_from_a_domain(blocklist: RunningService) -> None:
    body = {"streams": {"service": ["domain"]}}
    answer = await blocklist.http.put("/v1/settings", json=body, params={"tenant": TENANT}, headers={"If-Match": "*"})
    assert answer.status_code == 422, answer.text


async def test_the_check_over_rabbitmq_knows_domains(harness: Harness, blocklist: RunningService) -> None:
    await post(blocklist, "/v1/domain-blocks", domains=["gone.example"], note="closed")
    async with Checks(harness.amqp_url, TENANT) as checks:
        answer = await checks.check(["ann@gone.example", "bob@example.com"])
    assert [(one["address"], one["domain"]) for one in answer["skip"]] == [("ann@gone.example", "gone.example")]
