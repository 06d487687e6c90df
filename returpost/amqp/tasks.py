"""Ending tasks that run on their own."""

import asyncio
from typing import Any, Final

from returpost.amqp.connections import CLOSE_TIMEOUT

ASK_AGAIN: Final = CLOSE_TIMEOUT + 1
"""Seconds that a task has for what it does last."""


async def cancel_and_wait(*tasks: asyncio.Task[Any]) -> list[Any]:
    """Cancel tasks, wait until they are over, and return what each returned or raised.

    They are asked until they go: in Python 3.11 a `wait_for` beneath them, as aiormq's, drops a cancellation that comes
    as what it waits for is done (https://github.com/python/cpython/issues/86296).
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=ASK_AGAIN)
    return await asyncio.gather(*tasks, return_exceptions=True)
