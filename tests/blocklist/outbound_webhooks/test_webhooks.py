"""Webhooks as administrators and receivers see them: a real service, a real stream, a real receiver."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from services.blocklist.app import create
from services.blocklist.outbound_webhooks import schedule
from services.blocklist.settings import Settings
from shared.outbound import signing
from tests.blocklist.outbound_webhooks.receiver import Posted, Receiver, never, receiving
from tests.blocklist.process import killed
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

QUICK: dict[str, Any] = {
    "webhook_networks": ["127.0.0.0/8"],
    "webhook_plain_http": True,
    "webhook_interval": 0.05,
    "webhook_lease": 2,
}
DISABLED = "SELECT name, enabled, disabled_why FROM webhooks"


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "PAUSES", (timedelta(milliseconds=20),) * 3)


@asynccontextmanager
async def running(harness: Harness, **settings: Any) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "blocklist", **(QUICK | settings)) as blocklist:
        yield blocklist


@pytest.fixture
async def blocklist(harness: Harness) -> AsyncIterator[RunningService]:
    async with running(harness) as found:
        yield found


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


async def ask(blocklist: RunningService, method: str, path: str = "", status: int = 200, **json: Any) -> Any:
    answer = await blocklist.http.request(method, f"/v1/webhooks{path}", json=json or None)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def add(blocklist: RunningService, receiver: Receiver, name: str = "crm", **more: Any) -> str:
    made = await ask(blocklist, "POST", "", 201, name=name, url=f"{receiver.url}/hook", **more)
    return str(made["secret"])


async def block(blocklist: RunningService, *addresses: str) -> None:
    (await blocklist.http.post("/v1/blocks", json={"addresses": addresses})).raise_for_status()


async def until(receiver: Receiver, *addresses: str) -> None:
    async def seen() -> list[str]:
        return receiver.addresses

    await eventually(seen, lambda found: len(found) >= len(addresses))
    assert receiver.addresses == list(addresses)


async def delivered(blocklist: RunningService, number: int) -> list[dict[str, Any]]:
    async def look() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await ask(blocklist, "GET", "/crm/deliveries?state=delivered"))["items"]
        return found

    return await eventually(look, lambda rows: len(rows) == number)


def signs(secret: str, one: Posted) -> bool:
    expected = signing.headers(one.id, int(one.headers["webhook-timestamp"]), one.body, [secret])
    return expected["webhook-signature"] in one.headers["webhook-signature"].split()


async def test_what_happens_to_blocks_is_posted_in_order_to_its_tenant_alone(
    harness: Harness, blocklist: RunningService, receiver: Receiver
) -> None:
    await block(blocklist, "before@example.com")
    secret = await add(blocklist, receiver)
    other = {"Authorization": f"Bearer {harness.token(tenant='other')}"}
    await blocklist.http.post("/v1/blocks", json={"addresses": ["theirs@example.com"]}, headers=other)
    await block(blocklist, "ann@example.com")
    await blocklist.http.post("/v1/blocks/clear", json={"addresses": ["ann@example.com"]})
    await until(receiver, "ann@example.com", "ann@example.com")
    types = [event["type"] for one in receiver.posted for event in one.events]
    assert types == ["returpost.address.blocked.v1", "returpost.address.unblocked.v1"]
    assert all(signs(secret, one) for one in receiver.posted)
    assert secret not in str(await ask(blocklist, "GET", "/crm"))


async def test_many_events_travel_together(blocklist: RunningService, receiver: Receiver) -> None:
    await add(blocklist, receiver)
    many = [f"u{n:04}@example.com" for n in range(3_000)]
    await block(blocklist, *many)
    await until(receiver, *many)
    assert len(receiver.posted) < 20


async def test_what_failed_is_posted_again_under_its_id_and_in_its_order(
    blocklist: RunningService, receiver: Receiver
) -> None:
    receiver.answers = [500, 503]
    await add(blocklist, receiver)
    await block(blocklist, "ann@example.com")
    await eventually(receiver.count)
    await block(blocklist, "bob@example.com")
    await eventually(receiver.count, lambda count: count >= 4)
    assert [event["data"]["address"][:3] for one in receiver.posted[-2:] for event in one.events] == ["ann", "bob"]
    assert len({one.id for one in receiver.posted[:3]}) == 1
    _, first = await delivered(blocklist, 2)
    detail = await ask(blocklist, "GET", f"/crm/deliveries/{first['id']}")
    assert [one["status"] for one in detail["tries"]] == [500, 503, 200]
    assert (detail["attempts"], detail["body"]) == (3, receiver.posted[0].events)
    sought = receiver.posted[0].events[0]
    asked = {"event": [sought["id"], "unknown"], "since": sought["time"]}
    (one,) = (await blocklist.http.get("/v1/webhook-deliveries", params=asked)).raise_for_status().json()["items"]
    assert (one["event"], one["delivery"], one["state"]) == (sought["id"], first["id"], "delivered")
    assert (one["attempts"], one["status"]) == (3, 200)


async def test_gone_disables_and_enabled_it_goes_on(
    harness: Harness, blocklist: RunningService, receiver: Receiver
) -> None:
    receiver.answers = [410]
    await add(blocklist, receiver)
    await block(blocklist, "ann@example.com")

    async def enabled() -> bool:
        return bool((await ask(blocklist, "GET", "/crm"))["enabled"])

    await eventually(enabled, lambda seen: not seen)
    assert "410" in (await ask(blocklist, "GET", "/crm"))["disabled_why"]
    assert "webhook.disabled" in await archived(harness)
    await block(blocklist, "bob@example.com")
    assert len(receiver.posted) == 1
    await eventually(partial(harness.depth, "classifier.address-blocked"), lambda count: count == 2)
    _, bob = await harness.take_events("classifier.address-blocked")
    asked = {"event": bob["id"], "since": bob["time"]}
    (one,) = (await blocklist.http.get("/v1/webhook-deliveries", params=asked)).raise_for_status().json()["items"]
    assert (one["state"], one["delivery"], one["enabled"]) == ("waiting", None, False)
    await ask(blocklist, "PATCH", "/crm", enabled=True)
    await until(receiver, "ann@example.com", "ann@example.com", "bob@example.com")
    assert receiver.posted[0].id == receiver.posted[1].id


async def archived(harness: Harness) -> set[str]:
    """Return the nouns and verbs of all events so far."""
    found: set[str] = set()
    stream = await harness.channel.get_queue("returpost.archive", ensure=False)
    channel = await harness.broker.channel()
    await channel.set_qos(100)
    stream = await channel.get_queue("returpost.archive", ensure=False)

    async def take(message: Any) -> None:
        found.add(message.routing_key.rpartition(".")[0])
        await message.ack()

    await stream.consume(take, arguments={"x-stream-offset": "first"})

    async def look() -> set[str]:
        return found

    await eventually(look, lambda seen: "webhook.disabled" in seen)
    await channel.close()
    return found


async def test_what_is_never_taken_does_not_hold_up_the_rest(blocklist: RunningService, receiver: Receiver) -> None:
    receiver.answers = [500] * 4
    await add(blocklist, receiver)
    await block(blocklist, "ann@example.com")
    await eventually(receiver.count)
    await block(blocklist, "bob@example.com")
    await delivered(blocklist, 1)
    assert [event["data"]["address"][:3] for event in receiver.posted[-1].events] == ["bob"]
    (skipped,) = (await ask(blocklist, "GET", "/crm/deliveries?state=skipped"))["items"]
    assert "HTTP 500" in skipped["problem"]
    assert skipped["attempts"] == 4
    await ask(blocklist, "POST", f"/crm/deliveries/{skipped['id']}/resend", 202)
    await delivered(blocklist, 2)
    assert [event["data"]["address"][:3] for event in receiver.posted[-1].events] == ["ann"]


async def test_after_two_messages_that_failed_for_three_days_it_is_disabled(
    blocklist: RunningService, receiver: Receiver
) -> None:
    receiver.answers = [500] * 20
    await add(blocklist, receiver)
    await block(blocklist, "ann@example.com")
    await eventually(receiver.count)
    await block(blocklist, "bob@example.com")

    async def why() -> str | None:
        found: str | None = (await ask(blocklist, "GET", "/crm"))["disabled_why"]
        return found

    assert "4 attempts" in str(await eventually(why))
    assert len(receiver.posted) == 8


async def test_another_secret_takes_over(blocklist: RunningService, receiver: Receiver) -> None:
    old = await add(blocklist, receiver)
    new = (await ask(blocklist, "POST", "/crm/rotate", overlap_hours=1))["secret"]
    await block(blocklist, "ann@example.com")
    await eventually(receiver.count)
    assert signs(old, receiver.posted[0])
    assert signs(new, receiver.posted[0])
    last = (await ask(blocklist, "POST", "/crm/rotate", overlap_hours=0))["secret"]
    await block(blocklist, "bob@example.com")
    await eventually(receiver.count, lambda count: count == 2)
    assert [signs(secret, receiver.posted[1]) for secret in (old, new, last)] == [False, False, True]


async def test_one_and_all_since_a_time_are_posted_again(blocklist: RunningService, receiver: Receiver) -> None:
    await block(blocklist, "early@example.com")
    await add(blocklist, receiver)
    await block(blocklist, "ann@example.com")
    await until(receiver, "ann@example.com")
    (row,) = await delivered(blocklist, 1)
    await ask(blocklist, "POST", f"/crm/deliveries/{row['id']}/resend", 202)
    await eventually(receiver.count, lambda count: count == 2)
    assert receiver.posted[0].id == receiver.posted[1].id == row["id"]
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    await ask(blocklist, "POST", "/crm/resend", 202, **{"from": hour_ago})
    await until(receiver, "ann@example.com", "ann@example.com", "early@example.com", "ann@example.com")
    await ask(blocklist, "POST", "/crm/deliveries/msg_none/resend", 404)


async def test_a_new_one_may_begin_in_the_past(blocklist: RunningService, receiver: Receiver) -> None:
    await block(blocklist, "early@example.com")
    await add(blocklist, receiver, **{"from": (datetime.now(UTC) - timedelta(hours=1)).isoformat()})
    await until(receiver, "early@example.com")


async def test_killed_between_post_and_note_nothing_is_lost(harness: Harness, receiver: Receiver) -> None:
    async with running(harness, webhook_interval=3600) as first:
        await add(first, receiver)
        receiver.hold = never
        async with killed(harness):
            await block(first, "ann@example.com")
            await eventually(receiver.count)
        await block(first, "bob@example.com")
        receiver.hold = None
        async with killed(harness):
            await eventually(receiver.count, lambda count: count >= 3)
    assert [[event["data"]["address"][:3] for event in one.events] for one in receiver.posted] == [
        ["ann"], ["ann"], ["bob"]]  # fmt: skip
    assert receiver.posted[0].id == receiver.posted[1].id


async def test_two_processes_post_once(harness: Harness, blocklist: RunningService, receiver: Receiver) -> None:
    async with running(harness):
        for n in range(5):
            await add(blocklist, receiver, f"crm-{n}")
        await block(blocklist, "ann@example.com")
        await eventually(receiver.count, lambda count: count == 5)
        held = await harness.fetch("blocklist", "SELECT count(DISTINCT leased_by) FROM webhooks")
        assert held[0]["count"] >= 1
        await asyncio.gather(*(blocklist.http.post(f"/v1/webhooks/crm-{n}/test") for n in range(5)))
        assert len(receiver.posted) == 10


async def test_what_is_asked_wrongly_is_explained(
    harness: Harness, blocklist: RunningService, receiver: Receiver
) -> None:
    for url in ("http://10.0.0.1/", "ftp://crm.example/", "https://no-such-host.invalid/", "https://169.254.169.254/"):
        answer = await blocklist.http.post("/v1/webhooks", json={"name": "crm", "url": url})
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), url
    await add(blocklist, receiver)
    await ask(blocklist, "POST", "", 409, name="crm", url=f"{receiver.url}/hook")
    stale = await blocklist.http.patch("/v1/webhooks/crm", json={"enabled": False}, headers={"If-Match": '"7"'})
    assert stale.status_code == 412
    await ask(blocklist, "PATCH", "/crm", enabled=False)
    assert [tuple(row) for row in await harness.fetch("blocklist", DISABLED)] == [("crm", False, "by test")]
    await ask(blocklist, "DELETE", "/crm", 204)
    for method, path in (("GET", "/crm"), ("DELETE", "/crm"), ("POST", "/crm/test"), ("GET", "/crm/deliveries")):
        await ask(blocklist, method, path, 404)
    marketer = {"Authorization": f"Bearer {harness.token(scopes=('read', 'check', 'write'))}"}
    assert (await blocklist.http.get("/v1/webhooks", headers=marketer)).status_code == 403


async def test_trying_one_out_tells_what_the_receiver_answered(blocklist: RunningService, receiver: Receiver) -> None:
    secret = await add(blocklist, receiver)
    assert (await ask(blocklist, "POST", "/crm/test"))["good"]
    assert receiver.posted[0].events[0]["type"] == "returpost.webhook.tested.v1"
    assert signs(secret, receiver.posted[0])
    receiver.answers = [403]
    told = await ask(blocklist, "POST", "/crm/test")
    assert (told["good"], told["status"]) == (False, 403)
    assert (await ask(blocklist, "GET", "/crm/deliveries"))["items"] == []
    assert receiver.posted[0].events[0]["tenant"] == TENANT
