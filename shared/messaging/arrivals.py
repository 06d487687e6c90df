"""Messages that have come and wait for the next batch, and how long that batch waits for more."""

import asyncio

from aio_pika.abc import AbstractIncomingMessage

WAIT_EACH, WAIT_MOST = 0.0005, 0.025
"""Seconds that a batch waits for more, for each message of the one before, and at most. A transaction and its flush to
disk cost as much as dozens of events. Whatever comes alone never waits."""


class Arrivals:
    """A queue in memory, of which batches are taken."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
        self._batch = 0
        """Messages taken for the batch in hand."""

    def __len__(self) -> int:
        """How many wait."""
        return self._waiting.qsize()

    def put(self, message: AbstractIncomingMessage | None) -> None:
        """Add a message; None: whoever waits for one shall look whether to go on."""
        self._waiting.put_nowait(message)

    async def first(self) -> AbstractIncomingMessage | None:
        """Return the first message of a new batch, once more have had the time to come."""
        before, self._batch = self._batch, 1
        message = await self._waiting.get()
        # As many as last time are more than what comes in a moment: then the sender is ahead, and a wait gains nothing.
        if before > 1 and len(self) + 1 < before and message is not None:
            await asyncio.sleep(min(WAIT_MOST, WAIT_EACH * before))
        return message

    def next(self) -> AbstractIncomingMessage | None:
        """Return the next message of this batch, or None when no more have come."""
        if self._waiting.empty():
            return None
        message = self._waiting.get_nowait()
        self._batch += message is not None
        return message
