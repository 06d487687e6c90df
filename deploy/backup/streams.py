"""Streams in a backup: a file each of one line a message, in their order. Restored they have new offsets."""

import asyncio
import base64
import gzip
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any
from uuid import uuid4

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage

from deploy.rabbitmq.whole_streams import STREAMS, messages_of
from returpost.amqp.connections import CONNECTION_ERRORS, open_channel, open_connection
from returpost.errors import Unavailable

IN_FLIGHT = 500
"""Messages that are published before the confirms are waited for."""


async def save(amqp_url: str, folder: Path) -> dict[str, int]:
    """Write every stream to `<name>.jsonl.gz`, up to what it ends with now; return the messages of each."""
    try:
        async with open_connection(amqp_url) as connection:  # together: each waits a while at its end
            counts = await asyncio.gather(*(_save(connection, name, folder) for name in STREAMS))
    except CONNECTION_ERRORS as error:
        raise Unavailable(f"RabbitMQ went away: {type(error).__name__}") from None
    return dict(zip(STREAMS, counts, strict=True))


async def _save(connection: Any, name: str, folder: Path) -> int:
    count = 0
    with gzip.open(folder / f"{name}.jsonl.gz", "wt", compresslevel=3) as file:
        async with aclosing(messages_of(connection, name)) as messages:
            async for message in messages:
                file.write(json.dumps(_line(message)) + "\n")
                count += 1
    return count


async def publish(amqp_url: str, folder: Path) -> None:
    """Put what `save` wrote into the streams again, with the routing keys that the messages had."""
    try:
        async with open_connection(amqp_url) as connection, open_channel(connection) as channel:
            for name in STREAMS:
                exchange = await channel.declare_exchange(f"restore-{uuid4()}", "fanout", durable=False)
                await (await channel.get_queue(name, ensure=False)).bind(exchange)
                try:
                    await _publish(exchange, folder / f"{name}.jsonl.gz")
                finally:
                    await exchange.delete()
    except CONNECTION_ERRORS as error:
        raise Unavailable(f"RabbitMQ went away: {type(error).__name__}") from None


async def _publish(exchange: Any, path: Path) -> None:
    waiting: list[Any] = []
    with gzip.open(path, "rt") as file:
        for line in file:
            key, message = _message(json.loads(line))
            waiting.append(exchange.publish(message, key))
            if len(waiting) >= IN_FLIGHT:
                await asyncio.gather(*waiting)
                waiting = []
    await asyncio.gather(*waiting)


def _line(message: AbstractIncomingMessage) -> dict[str, Any]:
    headers = {key: value for key, value in message.headers.items() if isinstance(value, str | int | float | bool)}
    headers.pop("x-stream-offset", None)
    return {
        "key": message.routing_key,
        "type": message.content_type,
        "headers": headers,
        "body": base64.b64encode(message.body).decode(),
    }


def _message(line: dict[str, Any]) -> tuple[str, Message]:
    body = base64.b64decode(line["body"])
    kept = DeliveryMode.PERSISTENT
    return line["key"], Message(body, content_type=line["type"], headers=line["headers"], delivery_mode=kept)
