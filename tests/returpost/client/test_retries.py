"""Retry commands as a sending system follows them."""

import asyncio
import contextlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from returpost.client import BlockStream, MailingPause, MailingResume, RetryConsumer, RetryRequested, retries as module
from returpost.contracts.cloudevents import Event, event
from returpost.errors import InvalidSettings
from tests.support.harness import TENANT, Harness, eventually
from tests.support.proxy import proxy

pytestmark = [pytest.mark.anyio, pytest.mark.services]

QUEUE = "sender.news.retry-requested"
PAGE = Path(__file__).parents[3] / "docs/how-to/sender/retries.md"


def command(n: int) -> Event[RetryRequested]:
    data = RetryRequested(
        mailing="m-1", address=f"u{n}@example.com", sender="news", attempt=2,
        due=datetime(2026, 1, 2, tzinfo=UTC), reason="mailbox_full",
    )  # fmt: skip
    return event(data, id=f"command-{n}", source="/test", tenant=TENANT, subject="m-1")


class Sender:
    def __init__(self) -> None:
        self.told: list[tuple[str, str, int]] = []
        self.broken = False

    async def send_again(self, item: Event[RetryRequested]) -> None:
        if self.broken:
            raise OSError("the mail server is away")
        self.told.append((item.tenant, item.data.address, item.data.attempt))


async def test_commands_are_obeyed_and_taken_off_the_queue(harness: Harness) -> None:
    sender = Sender()
    await harness.command(command(1), command(2), detail="news")
    following = asyncio.create_task(RetryConsumer(harness.amqp_url, "news").follow(sender.send_again))
    await eventually(lambda: asyncio.sleep(0, len(sender.told)), lambda told: told == 2)
    await ended(following)
    assert sender.told == [(TENANT, f"u{n}@example.com", 2) for n in (1, 2)]
    assert await harness.depth(QUEUE) == 0


async def test_what_fails_is_passed_on_and_comes_again(harness: Harness) -> None:
    sender = Sender()
    sender.broken = True
    await harness.command(command(1), detail="news")
    with pytest.raises(OSError, match="mail server"):
        await RetryConsumer(harness.amqp_url, "news").follow(sender.send_again)
    await eventually(lambda: harness.depth(QUEUE), lambda depth: depth == 1)


async def test_an_outage_is_waited_out(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECONNECT", 0.05)
    sender = Sender()
    async with proxy(harness.amqp_url) as way:
        following = asyncio.create_task(RetryConsumer(way.url, "news").follow(sender.send_again))
        await harness.command(command(1), detail="news")
        await eventually(lambda: asyncio.sleep(0, len(sender.told)), lambda told: told == 1)
        await way.cut()
        await harness.command(command(2), detail="news")
        await way.mend()
        await eventually(lambda: asyncio.sleep(0, {told[1] for told in sender.told}), lambda told: len(told) == 2)
        await ended(following)


async def test_a_wrong_user_is_told(harness: Harness) -> None:
    with pytest.raises(InvalidSettings, match="refuses the user"):
        await RetryConsumer(harness.amqp_url.replace("returpost-admin", "nobody"), "news").follow(Sender().send_again)


async def test_pauses_come_in_their_order_beside_retries(harness: Harness) -> None:
    told: list[str] = []

    async def say(item: Event[MailingPause] | Event[MailingResume] | Event[RetryRequested]) -> None:
        told.append(item.id)

    await harness.command(command(1), command(2), detail="news")
    for n in range(4):
        contract = MailingResume if n % 2 else MailingPause
        data = contract(mailing="m-1", sender="news", time=datetime(2026, 1, 2, n, tzinfo=UTC), by="ann")
        await harness.command(event(data, id=f"turn-{n}", source="/test", tenant=TENANT), detail="news")
    consumer = RetryConsumer(harness.amqp_url, "news")
    with pytest.raises(TypeError, match="pause and resume"):
        await consumer.follow(say, pause=say)
    following = asyncio.create_task(consumer.follow(say, pause=say, resume=say))
    await eventually(lambda: asyncio.sleep(0, len(told)), lambda number: number == 6)
    await ended(following)
    assert [one for one in told if one.startswith("turn")] == [f"turn-{n}" for n in range(4)]
    assert await harness.depth("sender.news.mailing-pause") == 0


async def ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_the_handler_of_the_page_takes_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    example = re.findall(r"^```python\n(.*?)^await ", PAGE.read_text(), re.MULTILINE | re.DOTALL)[0]
    names: dict[str, Any] = {}
    exec(compile(example, str(PAGE), "exec"), names)  # noqa: S102 - our own document
    await names["send_again"](command(1))
    assert capsys.readouterr().out == "m-1 u1@example.com 2\n"


async def test_a_sender_that_nobody_declared_is_named(harness: Harness) -> None:
    with pytest.raises(InvalidSettings, match=r"no queue sender\.newss\.retry-requested"):
        await RetryConsumer(harness.amqp_url, "newss").follow(Sender().send_again)


async def test_a_place_of_a_stream_that_is_none_is_refused(harness: Harness) -> None:
    with pytest.raises(InvalidSettings, match="since: 'nxt'"):
        await anext(BlockStream(harness.amqp_url).read("nxt"))  # type: ignore[arg-type]
