"""What arrived is kept as it arrived: shown by the id of its events, forgotten by age, by size and by erasure."""

import asyncio
import json
import zlib
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from deploy.demo.samples import paths
from returpost.amqp.publisher import Message, Publishes
from returpost.contracts import AddressErased, BounceClassified, RawMessageStore, RawOutcome, ids
from returpost.contracts.cloudevents import event
from returpost.contracts.routing import DEAD_LETTERS
from returpost.errors import InvalidSettings
from services.ingest.app import create
from services.ingest.raw_messages import repository
from services.ingest.raw_messages.repository import RawMessageRepository
from services.ingest.settings import Settings
from services.ingest.webhooks import load_shedding
from services.ingest.webhooks.load_shedding import Pace
from services.ingest.webhooks.settings import webhook_settings
from shared.messaging.direct_publisher import DirectPublisher
from tests.ingest.probes import BOUNCED, RECORDED, receive_events
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

SAMPLES = {path.name: path.read_bytes() for path in paths()}
BOUNCE = SAMPLES["postfix-user-unknown.eml"]
THREE = SAMPLES["postfix-three-recipients.eml"]
MESSAGE = {"message-id": "1@example.com"}


@pytest.fixture
async def ingest(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "ingest") as running:
        yield running


def mailgun(kind: str, address: str = "ann@example.com", **more: Any) -> dict[str, Any]:
    data = {
        "event": kind, "id": f"{kind}-{address}", "timestamp": datetime.now(UTC).timestamp(), "recipient": address,
        "message": {"headers": MESSAGE},
    }  # fmt: skip
    return {"event-data": data | more}


async def post(running: RunningService, *events: dict[str, Any]) -> dict[str, Any]:
    running.service.app.state.webhooks = running.service.app.state.webhooks.__class__(
        webhook_settings(unsigned_tenants=TENANT)
    )
    answer = await running.http.post(f"/webhooks/mailgun/{TENANT}", content=json.dumps(list(events), indent=1))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def reports(harness: Harness) -> int:
    return int((await harness.fetch("ingest", "SELECT count(*) FROM raw_messages"))[0][0])


async def test_a_mail_is_shown_by_the_id_of_every_event_that_was_made_of_it(
    harness: Harness, ingest: RunningService
) -> None:
    said = (await ingest.http.post("/v1/bounce-mails", content=THREE)).json()
    bounces, results = await receive_events(harness, BOUNCED, 3), await receive_events(harness, RECORDED, 3)
    verdicts = [ids.derived(bounce["id"], BounceClassified.TYPE) for bounce in bounces]
    await eventually(lambda: reports(harness))
    for id_ in (said["id"], *verdicts, *(one["id"] for one in (*bounces, *results))):
        shown = (await ingest.http.get(f"/v1/raw-messages/{id_}")).json()
        assert (shown["id"], shown["source"], shown["outcome"]) == (said["id"], "http", "read")
        assert {one["address"] for one in shown["about"]} == {one["data"]["address"].lower() for one in bounces}
        assert shown["size"] == len(THREE)
        assert shown["text"].startswith(THREE[:100].decode())
        exact = await ingest.http.get(f"/v1/raw-messages/{id_}/body")
        assert exact.content == THREE
        assert exact.headers["content-type"] == "message/rfc822"
        assert exact.headers["content-disposition"] == "attachment"
    address = bounces[0]["data"]["address"].upper()
    query = {"address": address, "mailing": bounces[0]["data"]["mailing"]}
    found = (await ingest.http.get("/v1/raw-messages", params=query)).json()["items"]
    assert [one["id"] for one in found] == [said["id"]]
    other = await ingest.http.get("/v1/raw-messages", params=query | {"mailing": "another"})
    assert other.json() == {"items": [], "next_cursor": None}


async def test_an_event_of_a_webhook_is_kept_to_the_byte_when_somebody_may_ask_for_it(
    harness: Harness, ingest: RunningService
) -> None:
    bounce, unknown = mailgun("failed", severity="permanent"), mailgun("teleported", "cid@example.com")
    events = [mailgun("delivered", "bob@example.com"), bounce, unknown]
    assert await post(ingest, *events) == {"accepted": 2, "ignored": 0, "kept": 1}
    (received,) = await receive_events(harness, BOUNCED, 1)
    await eventually(lambda: reports(harness), lambda number: number == 2)
    exact = (await ingest.http.get(f"/v1/raw-messages/{received['id']}/body")).content
    assert json.loads(exact) == bounce
    assert exact in json.dumps(events, indent=1).encode()
    (kept,) = (await ingest.http.get("/v1/raw-messages", params={"outcome": "unknown"})).json()["items"]
    assert kept["source"] == "mailgun"
    assert "teleported" in kept["problem"]
    assert json.loads((await ingest.http.get(f"/v1/raw-messages/{kept['id']}/body")).content) == unknown


class Gate:
    """A publisher in front of RabbitMQ, which nothing passes until it is opened."""

    def __init__(self, publisher: Publishes) -> None:
        self._publisher = publisher
        self.open = asyncio.Event()

    async def publish(self, messages: Sequence[Message]) -> list[Message]:
        await self.open.wait()
        return list(await self._publisher.publish(messages))


class Counted(Pace):
    """How often somebody was let go first."""

    steps = 0

    async def step(self) -> None:
        self.steps += 1
        await super().step()


async def test_originals_make_way_for_a_crowd_and_none_is_lost(
    harness: Harness, ingest: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace, uow_factory = Counted(), ingest.service.uow_factory
    assert isinstance(uow_factory, DirectPublisher)
    gate = uow_factory._publisher = Gate(uow_factory._publisher)
    monkeypatch.setattr(load_shedding, "PACE", pace)
    crowd = [
        asyncio.create_task(post(ingest, *(mailgun("failed", f"u{n}-{m}@example.com") for m in range(3))))
        for n in range(20)
    ]

    async def waiting() -> int:
        return uow_factory.waiting

    await eventually(waiting, lambda number: number == 20)
    old = RawMessageStore(
        source="imap", outcome=RawOutcome.READ, content_type="message/rfc822", size=1, time=datetime.now(UTC),
        body=b64encode(zlib.compress(b"x")).decode(),
    )  # fmt: skip
    for batch in range(5):
        await harness.command(*(event(old, id=f"{batch}-{n}", source="/t", tenant=TENANT) for n in range(50)))
    await eventually(lambda: reports(harness), lambda number: number == 250)
    assert pace.steps > 1
    gate.open.set()
    answers = await asyncio.gather(*crowd)
    assert {"received": True} in answers
    assert {"accepted": 3, "ignored": 0, "kept": 0} in answers
    bounces = await receive_events(harness, BOUNCED, 60)
    assert len({bounce["data"]["address"] for bounce in bounces}) == 60
    await eventually(lambda: reports(harness), lambda number: number == 310)


async def test_an_unreadable_mail_is_kept_as_unreadable(harness: Harness, ingest: RunningService) -> None:
    body = b"\x00\xff\xfe no mail at all"
    said = (await ingest.http.post("/v1/bounce-mails", content=body)).json()
    await eventually(lambda: reports(harness))
    (kept,) = (await ingest.http.get("/v1/raw-messages", params={"outcome": "unreadable"})).json()["items"]
    assert kept["id"] == said["id"]
    assert (await ingest.http.get(f"/v1/raw-messages/{said['id']}/body")).content == body
    ingest.http.headers.pop("Authorization")
    assert 'returpost_mails_total{outcome="unreadable"}' in (await ingest.http.get("/metrics")).text


async def test_all_are_kept_when_the_setting_says_so(harness: Harness) -> None:
    async with harness.running(create, Settings, "ingest", raw_messages_of_all=True) as running:
        await post(running, mailgun("delivered"), mailgun("opened"), mailgun("failed"))
        await eventually(lambda: reports(harness), lambda number: number == 3)


async def test_none_are_kept_and_no_database_is_needed_when_the_time_is_zero(harness: Harness) -> None:
    nothing = {"raw_messages_keep": timedelta(0), "database_url": None}
    async with harness.running(create, Settings, "ingest", **nothing) as running:
        said = (await running.http.post("/v1/bounce-mails", content=BOUNCE)).json()
        await receive_events(harness, BOUNCED, 1)
        answer = await running.http.get(f"/v1/raw-messages/{said['id']}")
        assert answer.status_code == 404
        assert "RAW_MESSAGES_KEEP" in answer.text
        assert "raw_messages" not in (await running.http.get("/health/ready")).json()


async def test_without_a_database_it_does_not_start(harness: Harness) -> None:
    with pytest.raises(InvalidSettings, match="RAW_MESSAGES_KEEP=0"):
        async with harness.running(create, Settings, "ingest", database_url=None):
            pass


async def test_mails_are_taken_while_the_database_is_away_and_kept_when_it_is_back(harness: Harness) -> None:
    away = "postgresql://nobody@127.0.0.1:1/nowhere"
    async with harness.running(create, Settings, "ingest", database_url=away) as running:
        assert (await running.http.post("/v1/bounce-mails", content=BOUNCE)).status_code == 202
        await receive_events(harness, BOUNCED, 1)

        async def held() -> Any:
            return (await running.http.get("/health/ready")).json()["consumers"]["ingest.raw-message-store"]

        await eventually(held, lambda consumer: consumer["paused_seconds"] is not None)
        health = await running.http.get("/health/ready")
        assert health.status_code == 200
        assert health.json()["raw_messages"].startswith("away")
        assert (await running.http.get("/v1/raw-messages")).status_code == 503
    async with harness.running(create, Settings, "ingest") as running:
        await eventually(lambda: reports(harness), lambda number: number == 1)
        assert (await running.http.get("/health/ready")).json()["raw_messages"] == "ok"


async def erase(harness: Harness, address: str, time: datetime) -> None:
    gone = AddressErased(address=address, time=time, by="test")
    await harness.send(event(gone, id=f"gone-{address}", source="/test", tenant=TENANT))


async def test_an_erased_address_leaves_no_report_and_late_ones_do_not_come_back(
    harness: Harness, ingest: RunningService
) -> None:
    await ingest.http.post("/v1/bounce-mails", content=THREE)
    bounces = await receive_events(harness, BOUNCED, 3)
    address = bounces[1]["data"]["address"]
    await ingest.http.post("/v1/bounce-mails", content=f"Dear {address.upper()}, hello".encode())
    await ingest.http.post("/v1/bounce-mails", content=SAMPLES["gmail-not-found.eml"])
    await eventually(lambda: reports(harness), lambda number: number == 3)
    late = await harness.fetch("ingest", "SELECT id, received_at FROM raw_messages")
    await erase(harness, address, datetime.now(UTC))
    await eventually(lambda: reports(harness), lambda number: number == 1)
    left = await harness.fetch(
        "ingest", "SELECT count(*) FROM raw_message_mentions WHERE address = $1", address.lower()
    )
    assert left[0][0] == 0

    before = RawMessageStore(
        source="imap", outcome=RawOutcome.READ, content_type="message/rfc822", size=1, time=late[0]["received_at"],
        body=b64encode(zlib.compress(b"x")).decode(), mentions=[{"events": ["e"], "address": address, "mailing": "m"}],
    )  # fmt: skip
    after = before.model_copy(update={"time": datetime.now(UTC)})
    await harness.command(*(event(d, id=i, source="/t", tenant=TENANT) for i, d in (("a", before), ("b", after))))
    await eventually(lambda: reports(harness), lambda number: number == 2)
    rows = await harness.fetch("ingest", "SELECT message FROM raw_message_mentions WHERE address = $1", address.lower())
    assert [str(row["message"]) for row in rows] == [ids.derived("b", "raw-message")]


async def test_what_is_no_report_is_a_dead_letter_and_the_rest_is_kept(
    harness: Harness, ingest: RunningService
) -> None:
    good = RawMessageStore(
        source="imap", outcome=RawOutcome.READ, content_type="message/rfc822", size=1, time=datetime.now(UTC),
        body=b64encode(zlib.compress(b"x")).decode(),
    )  # fmt: skip
    bad = good.model_copy(update={"body": b64encode(b"junk").decode()})
    await harness.command(*(event(d, id=i, source="/t", tenant=TENANT) for i, d in (("a", bad), ("b", good))))
    await eventually(lambda: reports(harness), lambda number: number == 1)
    await eventually(lambda: harness.depth(DEAD_LETTERS), lambda depth: depth == 1)


async def test_the_oldest_go_first(harness: Harness) -> None:
    now = datetime.now(UTC)
    messages = RawMessageRepository(SecretStr(harness.admin_url), 2)  # a service would let some go, too
    rows = [
        (ids.of_content(n), TENANT, now - timedelta(days=n), "http", "read", "", "text/plain", 9, b"x" * 100)
        for n in range(50)
    ]
    async with messages.transaction() as connection:
        mentions = [(ids.of_content("e", n), rows[n][0], TENANT, "a", "m") for n in range(50)]
        await repository.store(connection, rows, mentions)
    assert await messages.purge(now - timedelta(days=29, hours=12)) == 20
    assert await messages.purge_beyond(3_000) == 0
    assert await messages.purge_beyond(1_000) == 20
    assert await messages.stored() == (10, 1_000)
    left = await harness.fetch("ingest", "SELECT count(*) FROM raw_message_mentions")
    assert left[0][0] == 10
    await messages.close()


async def test_pages_are_cut_where_the_last_one_ended(harness: Harness, ingest: RunningService) -> None:
    for n in range(5):
        await ingest.http.post("/v1/bounce-mails", content=BOUNCE + b"%d" % n)
    await eventually(lambda: reports(harness), lambda number: number == 5)
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    for expected in (2, 2, 1):
        page = (await ingest.http.get("/v1/raw-messages", params=query)).json()
        seen += [one["id"] for one in page["items"]]
        assert len(page["items"]) == expected
        query["cursor"] = page["next_cursor"]
    assert query["cursor"] is None
    assert len(set(seen)) == 5


async def test_what_is_not_there_or_not_asked_well(ingest: RunningService, subtests: pytest.Subtests) -> None:
    for path, status in (
        ("/00000000-0000-4000-8000-000000000000", 404),
        ("/00000000-0000-4000-8000-000000000000/body", 404),
        ("/not-an-id", 422),
        ("?cursor=yesterday", 422),
        ("?mailing=m-1", 422),
        ("?outcome=lost", 422),
        ("?tenant=rival", 403),
    ):
        with subtests.test(path):
            answer = await ingest.http.get(f"/v1/raw-messages{path}")
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"


async def test_only_who_may_read_sees_it_and_only_the_own_tenants(harness: Harness, ingest: RunningService) -> None:
    said = (await ingest.http.post("/v1/bounce-mails", content=BOUNCE)).json()
    await eventually(lambda: reports(harness))
    for token, status in (
        (harness.token(scopes=("send", "check")), 403),
        (harness.token(tenant="rival"), 404),
        (harness.token(scopes=("read",)), 200),
    ):
        answer = await ingest.http.get(
            f"/v1/raw-messages/{said['id']}/body", headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == status
