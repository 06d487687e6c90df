"""Retry commands as a sending system follows them."""

import asyncio
import contextlib
from datetime import UTC, datetime

import pytest

from returpost.client import RetryConsumer, RetryRequested, retries as module
from returpost.contracts.cloudevents import Event, event
from returpost.errors import InvalidSettings
from tests.support.harness import TENANT, Harness, eventually
from tests.support.proxy import proxy

pytestmark = [pytest.mark.anyio, pytest.mark.services]

QUEUE = "sender.news.retry-requested"


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


async def ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
