"""The floor of webhooks: the least that answers a request when RabbitMQ has confirmed its body.

A bare ASGI application under the same server, with the same number of processes on one port. It proves nothing,
reads nothing and keeps nothing: what came in while the last message was confirmed goes out as the next one, to a quorum
queue.
"""

import argparse
import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator

import aio_pika
import uvicorn
import uvloop
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

QUEUE = "bench.load.baseline_min"
ANSWER = b"{}"
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"2")]


@contextlib.asynccontextmanager
async def floor(amqp_url: str, processes: int) -> AsyncIterator[int]:
    """Run it, and give its port."""
    connection = await aio_pika.connect(amqp_url)
    async with connection, connection.channel() as channel:
        await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        with contextlib.ExitStack() as stack:
            port, running = 0, []
            for _ in range(processes):
                listening = stack.enter_context(_listen(port))
                port = listening.getsockname()[1]
                running.append(await _start(amqp_url, listening))
            try:
                yield port
            finally:
                for process in running:
                    process.kill()
                    await process.wait()
                await channel.queue_delete(QUEUE)


def _listen(port: int) -> socket.socket:
    listening = socket.create_server(("127.0.0.1", port), backlog=1024, reuse_port=True)
    listening.set_inheritable(True)
    return listening


async def _start(amqp_url: str, listening: socket.socket) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.load.baseline_min", amqp_url, str(listening.fileno()),
        pass_fds=[listening.fileno()], stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    if not await process.stdout.readline():
        raise RuntimeError("the floor did not start")
    return process


class Bare:
    """The application."""

    def __init__(self, exchange: aio_pika.abc.AbstractExchange) -> None:
        self._exchange = exchange
        self._gathered: list[tuple[bytes, asyncio.Future[None]]] = []
        self._publishing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        body, more = b"", True
        while more:
            part = await receive()
            body += part.get("body", b"")  # type: ignore[operator]
            more = bool(part.get("more_body"))
        done = asyncio.get_running_loop().create_future()
        self._gathered.append((body, done))
        if self._publishing is None:
            self._publishing = asyncio.create_task(self._publish())
        await done
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS, "trailers": False})
        await send({"type": "http.response.body", "body": ANSWER, "more_body": False})

    async def _publish(self) -> None:
        while self._gathered:
            together, self._gathered = self._gathered, []
            body = b"\n".join(body for body, _ in together)
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await self._exchange.publish(message, QUEUE)
            for _, done in together:
                done.set_result(None)
        self._publishing = None


async def _serve(amqp_url: str, listening: socket.socket) -> None:
    connection = await aio_pika.connect(amqp_url)
    async with connection, connection.channel() as channel:
        application = Bare(channel.default_exchange)
        config = uvicorn.Config(application, loop="uvloop", lifespan="off", log_config=None, access_log=False)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listening]))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await serving


def main() -> None:
    """Run one process of it."""

    parser = argparse.ArgumentParser()
    parser.add_argument("amqp_url")
    parser.add_argument("fd", type=int)
    given = parser.parse_args()
    uvloop.run(_serve(given.amqp_url, socket.socket(fileno=given.fd)))


if __name__ == "__main__":
    main()
