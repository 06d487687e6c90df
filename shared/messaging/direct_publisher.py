"""Units of work of services that keep no state: the effects are the events alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from returpost.amqp.publisher import Outgoing, Publishes, merge
from returpost.errors import Unavailable
from shared.messaging.dead_letters import publish_or_dead_letter
from shared.messaging.unit_of_work import HOLDS, UnitOfWork
from shared.transient_errors import is_infrastructure

GATHERING = 0.0005
"""Seconds for each work beyond one that the last publishing had together, until the next: what many share costs each
little, and with 30 in one 2,000 works a second take a tenth of the broker's time for one alone (bench/webhooks.py)."""
LONGEST_GATHERING = 0.015
ANSWER_WITHIN = 5.0
"""Seconds that a request waits for RabbitMQ."""
MOST_IN_FLIGHT = 8
"""Publishings whose confirms have not come: a broker that is slow is given more at a time, not more often."""


class DirectPublisher:
    """For services that keep no state: the effects are the events alone.

    Works that end at about the same time are published together, in as few messages as all of them need: a confirm
    costs more than what it confirms. Each waits for its own. The next are sent without waiting for the last ones'
    confirms: whoever waits for these too answers in bursts, is asked in bursts then, and waits longer each time.
    """

    def __init__(self, publisher: Publishes) -> None:
        self._publisher = publisher
        self._gathered: list[tuple[list[Outgoing], asyncio.Future[None]]] = []
        self._gathering: asyncio.Task[None] | None = None
        self._in_flight: set[asyncio.Task[None]] = set()
        self.waiting = 0
        """How many works wait for their confirms: while there are many, what can be done later should be."""

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[UnitOfWork]:
        """Give a `UnitOfWork`; publish with confirms at the end. Raises `Unavailable`; in a request soon."""
        work = UnitOfWork()
        yield work
        if work.outgoing:
            done = asyncio.get_running_loop().create_future()
            self._gathered.append((work.outgoing, done))
            if self._gathering is None:
                self._gathering = asyncio.create_task(self._publish_all(), name="publishing")
            self.waiting += 1
            try:
                async with asyncio.timeout(None if HOLDS.get() else ANSWER_WITHIN):
                    await done
            except TimeoutError:
                raise Unavailable("RabbitMQ did not confirm in time; send it again, it takes effect once") from None
            finally:
                self.waiting -= 1

    async def _publish_all(self) -> None:
        try:
            while self._gathered:
                together, self._gathered = self._gathered, []
                one = asyncio.create_task(self._publish(together), name="publishing together")
                self._in_flight.add(one)
                one.add_done_callback(self._in_flight.discard)
                await asyncio.sleep(min(LONGEST_GATHERING, (len(together) - 1) * GATHERING))
                if len(self._in_flight) >= MOST_IN_FLIGHT:
                    await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._gathering = None

    async def _publish(self, together: list[tuple[list[Outgoing], asyncio.Future[None]]]) -> None:
        try:
            await publish_or_dead_letter(self._publisher, merge(item for outgoing, _ in together for item in outgoing))
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are told
            if len(together) > 1 and not is_infrastructure(error):  # one of them cannot be published: which?
                for one in together:
                    await self._publish([one])
                return
            for _, done in together:
                if not done.done():
                    done.set_exception(error)
            return
        for _, done in together:
            if not done.done():
                done.set_result(None)
