"""The ceiling: the same bytes through the same number of hops, each with one array insert a batch, and no domain work.

A hop that forwards, and three that it feeds, each in its own process, on the same servers as the pipeline: quorum
queues, confirms, natural batches on bare aio-pika, one acknowledgement a batch.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Sequence

import aio_pika
import asyncpg
import uvloop
from pydantic_core import from_json

from bench.publishing import publish

EXCHANGE_IN, EXCHANGE_OUT = "ceiling.in", "ceiling.out"
HOPS = ("first", "second", "third", "fourth")
MAX_BYTES = 4 * 1024 * 1024
POLL_SECONDS = 0.1


async def measure(url: str, database_url: str, bodies: Sequence[bytes], results: int, say: Callable[[str], None]) -> float:
    """Return results a second from the first publish to the last commit of the last hop."""
    await _prepare(url, database_url)
    processes = [await _start(url, database_url, hop) for hop in HOPS]
    try:
        for process in processes:
            assert process.stdout is not None
            await process.stdout.readline()
        say("measuring the ceiling")
        started = time.monotonic()
        await publish(url, EXCHANGE_IN, "", bodies)
        await _until_all_have(database_url, len(bodies), results)
        return results / (time.monotonic() - started)
    finally:
        for process in processes:
            process.kill()
            await process.wait()


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
        await database.execute(f"DROP TABLE IF EXISTS ceiling_{hop}; CREATE TABLE ceiling_{hop} (id text NOT NULL)")
    await database.close()


async def _start(url: str, database_url: str, hop: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.ceiling", url, database_url, hop, stdout=asyncio.subprocess.PIPE
    )


async def _until_all_have(database_url: str, messages: int, results: int) -> None:
    database = await asyncpg.connect(database_url)
    deadline = time.monotonic() + 60 + results / 500
    while True:
        counts = [await database.fetchval(f"SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'ceiling_{hop}'")
                  for hop in HOPS]  # fmt: skip
        if min(counts) >= results:
            break
        assert time.monotonic() < deadline, f"the ceiling's hops stand at {counts} of {results}"
        await asyncio.sleep(POLL_SECONDS)
    await database.close()


async def _hop(url: str, database_url: str, hop: str) -> None:
    database = await asyncpg.connect(database_url)
    statement = await database.prepare(f"INSERT INTO ceiling_{hop} SELECT * FROM unnest($1::text[])")
    connection = await aio_pika.connect(url)
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=200)
    out = await channel.get_exchange(EXCHANGE_OUT, ensure=False)
    arrivals: asyncio.Queue[aio_pika.abc.AbstractIncomingMessage] = asyncio.Queue()
    queue = await channel.declare_queue(f"ceiling.{hop}", passive=True)
    await queue.consume(arrivals.put)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        batch = [await arrivals.get()]
        size = len(batch[0].body)
        while not arrivals.empty() and size < MAX_BYTES:
            batch.append(arrivals.get_nowait())
            size += len(batch[-1].body)
        values = [from_json(message.body) for message in batch]
        ids = [event["id"] for value in values for event in (value if isinstance(value, list) else [value])]
        await statement.fetch(ids)
        if hop == HOPS[0]:
            await asyncio.gather(*(
                out.publish(aio_pika.Message(m.body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT), "") for m in batch
            ))  # fmt: skip
        await batch[-1].ack(multiple=True)


def main() -> None:
    """Run one hop, as the benchmark's process."""
    parser = argparse.ArgumentParser()
    for name in ("url", "database_url", "hop"):
        parser.add_argument(name)
    given = parser.parse_args()
    uvloop.run(_hop(given.url, given.database_url, given.hop))


if __name__ == "__main__":
    main()
