"""The ceiling: the same bytes through the same number of hops, each with one array insert a batch, and no domain work.

A hop that forwards, and three that it feeds, each in its own process, on the same servers as the pipeline: quorum
queues, confirms, natural batches on bare aio-pika, one acknowledgement a batch. Every hop does what no consumer can do
without: it reads its events with pydantic, and keeps each once, by its id. It has no outbox, no dead letters, no
security, no telemetry, and answers nothing.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import aio_pika
import asyncpg
import uvloop
from pydantic import BaseModel, TypeAdapter

from bench.load.publishing import publish

EXCHANGE_IN, EXCHANGE_OUT = "ceiling.in", "ceiling.out"
HOPS = ("first", "second", "third", "fourth")
MAX_BYTES = 4 * 1024 * 1024


class Data(BaseModel):
    """What is read of a result."""

    mailing: str
    address: str
    result: str
    time: str
    sender: str


class Event(BaseModel):
    """What is read of an event."""

    id: str
    type: str
    tenant: str
    time: datetime
    data: Data


EVENTS = TypeAdapter(list[Event])


async def measure(
    url: str, database_url: str, bodies: Sequence[bytes], results: int, say: Callable[[str], None]
) -> float:
    """Return results a second from the first publish to the last commit of the last hop."""
    await _prepare(url, database_url)
    processes = [await _start(url, database_url, hop, results) for hop in HOPS]
    try:
        await asyncio.gather(*(_line(process) for process in processes))
        say("measuring the ceiling")
        started = time.monotonic()
        publishing = asyncio.create_task(publish(url, EXCHANGE_IN, "", bodies))
        await asyncio.wait_for(asyncio.gather(*(_line(process) for process in processes)), 60 + results / 500)
        ended = time.monotonic()
        await publishing
        return results / (ended - started)
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _line(process: asyncio.subprocess.Process) -> None:
    """Wait for the next line of a hop: first that it is ready, then that it has committed all."""
    assert process.stdout is not None
    if not await process.stdout.readline():
        raise RuntimeError("a hop of the ceiling has ended")


async def _prepare(url: str, database_url: str) -> None:
    connection = await aio_pika.connect(url)
    async with connection, connection.channel() as channel:
        for name in (EXCHANGE_IN, EXCHANGE_OUT):
            await channel.declare_exchange(name, "fanout", durable=True)
        for hop in HOPS:
            queue = await channel.declare_queue(f"ceiling.{hop}", durable=True, arguments={"x-queue-type": "quorum"})
            await queue.bind(EXCHANGE_IN if hop == HOPS[0] else EXCHANGE_OUT)
            await queue.purge()
    database = await asyncpg.connect(database_url)
    for hop in HOPS:
        columns = "id uuid PRIMARY KEY, tenant text NOT NULL, mailing text NOT NULL, address text NOT NULL"
        await database.execute(f"DROP TABLE IF EXISTS ceiling_{hop}; CREATE TABLE ceiling_{hop} ({columns})")
    await database.close()


async def _start(url: str, database_url: str, hop: str, results: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.load.baseline_max",
        url,
        database_url,
        hop,
        str(results),
        stdout=asyncio.subprocess.PIPE,
    )


async def _hop(url: str, database_url: str, hop: str, results: int) -> None:
    database = await asyncpg.connect(database_url)
    statement = await database.prepare(
        f"INSERT INTO ceiling_{hop} SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) "  # noqa: S608
        "ON CONFLICT DO NOTHING"
    )
    connection = await aio_pika.connect(url)
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=200)
    out = await channel.get_exchange(EXCHANGE_OUT, ensure=False)
    arrivals: asyncio.Queue[aio_pika.abc.AbstractIncomingMessage] = asyncio.Queue()
    queue = await channel.declare_queue(f"ceiling.{hop}", passive=True)
    await queue.consume(arrivals.put)
    _say("ready")
    while results > 0:
        batch = [await arrivals.get()]
        size = len(batch[0].body)
        while not arrivals.empty() and size < MAX_BYTES:
            batch.append(arrivals.get_nowait())
            size += len(batch[-1].body)
        events = [event for message in batch for event in EVENTS.validate_json(message.body)]
        await statement.fetch(
            [event.id for event in events],
            [event.tenant for event in events],
            [event.data.mailing for event in events],
            [event.data.address for event in events],
        )
        if hop == HOPS[0]:
            await asyncio.gather(*(
                out.publish(aio_pika.Message(m.body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT), "") for m in batch
            ))  # fmt: skip
        await batch[-1].ack(multiple=True)
        results -= len(events)
    _say("done")
    await connection.close()


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> None:
    """Run one hop, as the benchmark's process."""
    parser = argparse.ArgumentParser()
    for name in ("url", "database_url", "hop"):
        parser.add_argument(name)
    parser.add_argument("results", type=int)
    given = parser.parse_args()
    uvloop.run(_hop(given.url, given.database_url, given.hop, given.results))


if __name__ == "__main__":
    main()
