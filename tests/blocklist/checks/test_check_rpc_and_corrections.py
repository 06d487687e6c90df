"""Questions over RabbitMQ, corrections over both ways, and a provider's list held against ours."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage

from returpost.client import Checks
from returpost.contracts import AddressCheck, AddressCorrect, Correction
from returpost.contracts.cloudevents import encode, event
from returpost.contracts.routing import COMMANDS, DEAD_LETTERS
from services.blocklist.app import create
from services.blocklist.settings import Settings
from tests.support.harness import PATIENCE, TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
async def blocklist(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "blocklist") as running:
        yield running


async def block(running: RunningService, *addresses: str) -> None:
    (await running.http.post("/v1/blocks", json={"addresses": addresses})).raise_for_status()


async def is_blocked(running: RunningService, address: str) -> bool:
    return bool((await running.http.post("/v1/check", json={"addresses": [address]})).json()["skip"])


async def test_questions_are_answered_as_over_http(harness: Harness, blocklist: RunningService) -> None:
    await block(blocklist, "ann@example.com", "bob@blåbær.example")
    asked = ["Ann <ANN@example.com>", "bob@BLÅBÆR.example", "no address", "cid@example.com"]
    async with Checks(harness.amqp_url, TENANT) as checks:
        answer = await checks.check(asked)
        assert answer == (await blocklist.http.post("/v1/check", json={"addresses": asked})).json()
        assert {one["address"] for one in answer["skip"]} == set(asked[:2])
        assert (await checks.check([f"u{n}@example.com" for n in range(10_000)])) == {"skip": [], "invalid": []}
    async with Checks(harness.amqp_url, "other") as checks:
        assert (await checks.check(asked))["skip"] == []


async def answer_to(harness: Harness, key: str, body: bytes) -> dict[str, Any]:
    """Ask as anybody could, and return the answer."""
    async with await aio_pika.connect(harness.amqp_url) as connection:
        channel = await connection.channel()
        replies = await channel.get_queue("amq.rabbitmq.reply-to", ensure=False)
        heard: asyncio.Queue[bytes] = asyncio.Queue()

        async def hear(message: AbstractIncomingMessage) -> None:
            heard.put_nowait(message.body)

        await replies.consume(hear, no_ack=True)
        exchange = await channel.get_exchange(COMMANDS, ensure=False)
        await exchange.publish(aio_pika.Message(body, reply_to="amq.rabbitmq.reply-to"), key)
        found: dict[str, Any] = json.loads(await asyncio.wait_for(heard.get(), PATIENCE))
        return found


async def test_a_wrong_question_is_answered_with_what_is_wrong(harness: Harness, blocklist: RunningService) -> None:
    await block(blocklist, "ann@example.com")
    asked = event(AddressCheck(addresses=["ann@example.com"]), id="one", source="/test", tenant=TENANT)
    body, _ = encode([asked])
    own, other = f"address.check.{TENANT}", "address.check.other"
    assert (await answer_to(harness, own, body))["skip"]
    assert "tenant" in (await answer_to(harness, other, body))["problem"]
    assert "addresses" in (await answer_to(harness, own, body.replace(b"addresses", b"x")))["problem"]
    assert "problem" in await answer_to(harness, own, b"nonsense")
    await harness.command(asked)
    (letter,) = await eventually(lambda: harness.take(DEAD_LETTERS))
    assert "reply_to" in str(letter.headers)
    exchange = await harness.channel.get_exchange(COMMANDS, ensure=False)
    await exchange.publish(aio_pika.Message(body, reply_to="ingest.delivery-result"), own)
    (letter,) = await eventually(lambda: harness.take(DEAD_LETTERS))
    assert "reply_to" in str(letter.headers)
    assert await harness.depth("ingest.delivery-result") == 0


async def test_the_new_address_starts_clean_and_the_old_one_stays(harness: Harness, blocklist: RunningService) -> None:
    await block(blocklist, "an@example.com", "ann@example.com", "bo@example.com")
    body = {"corrections": [{"old": "an@example.com", "new": "Ann@Example.com"}], "note": "a letter was missing"}
    assert (await blocklist.http.post("/v1/addresses/correct", json=body)).status_code == 202
    assert await is_blocked(blocklist, "an@example.com")
    assert not await is_blocked(blocklist, "ann@example.com")
    data = AddressCorrect(
        corrections=[Correction(old="bo@example.com", new="BO@example.com")], time=datetime.now(UTC), by="ann"
    )
    await harness.command(event(data, id="bo", source="/test", tenant=TENANT))
    await eventually(lambda: harness.depth("blocklist.address-correct"), lambda depth: depth == 0)
    assert await is_blocked(blocklist, "bo@example.com"), "the same address, written otherwise"


async def test_what_either_side_lacks(blocklist: RunningService) -> None:
    await block(blocklist, "both@example.com", "ours@example.com", "lifted@example.com")
    cleared = await blocklist.http.post("/v1/blocks/clear", json={"addresses": ["lifted@example.com"]})
    cleared.raise_for_status()
    theirs = "Both@example.com,BOUNCE\ntheirs@example.com,COMPLAINT\nlifted@example.com,BOUNCE\nnonsense,BOUNCE\n"
    answer = await blocklist.http.post("/v1/reconcile", content=theirs, headers={"Content-Type": "text/csv"})
    *lines, last = [json.loads(line) for line in answer.text.splitlines()]
    assert [(one["missing"], one["address"], one["cause"], one.get("lifted")) for one in lines] == [
        ("here", "theirs@example.com", "complaint", False),
        ("here", "lifted@example.com", "manual", True),
        ("there", "ours@example.com", "manual", None),
    ]
    assert last == {"theirs": 3, "ours": 2, "both": 1, "missing_here": 2, "missing_there": 1, "invalid": 1}
