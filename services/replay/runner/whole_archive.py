"""The whole archive: what the folder of segments has, then what the stream has, as one, without a gap or a double."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime

import structlog
from aio_pika.abc import AbstractConnection

from returpost.amqp import archive
from returpost.amqp.archive import EPOCH, ArchivedMessage
from returpost.errors import Unavailable
from services.replay.domain.segment import Header, Stored, digest, events_of
from services.replay.runner.segments import Segment, Segments

log = structlog.get_logger()

FOREIGN = (
    "the stream of the archive does not go on where its segments end: when RabbitMQ was restored or set up anew,"
    " move the files of RETURPOST_REPLAY_ARCHIVE_FOLDER to another folder"
)


class WholeArchive:
    """Reads the archive; without segments it is the stream alone."""

    def __init__(self, broker: AbstractConnection, segments: Segments | None = None) -> None:
        self.broker = broker
        self.segments = segments

    async def read(
        self, *, since: datetime, offset: int | None, containing: bytes | None = None, tenant: str | None = None
    ) -> AsyncGenerator[ArchivedMessage, None]:
        """Yield messages from an offset, or from those with events of a time on, to where the stream ends by then.

        Only messages with the bytes `containing`, in any case, are decoded. Segments without events of the tenant are
        left out. Raises `Unavailable`, for what is damaged too.
        """
        segments = await asyncio.to_thread(self.segments.listed) if self.segments else []
        wanted = [one for one in segments if offset is None or one.header.last >= offset]
        for segment in wanted:
            if segment.header.may_have(since, tenant):
                for message in await asyncio.to_thread(self._messages, segment):
                    if offset is None or message.offset >= offset:
                        yield _archived(message, containing)
        seam = wanted and (offset is not None or any(one.header.may_have(since, None) for one in wanted))
        last = segments[-1].header if seam else None
        reading = (
            archive.read(self.broker, since=since, offset=offset, containing=containing)
            if last is None
            else self.after(last, containing=containing)
        )
        async with aclosing(reading) as messages:
            async for one in messages:
                yield one

    async def after(self, last: Header, *, containing: bytes | None = None) -> AsyncGenerator[ArchivedMessage, None]:
        """Yield the messages of the stream that come after the last segment. Raises `Unavailable` when the
        stream is another one than that of the segments, or has gone."""
        begun = False
        reading = archive.read(self.broker, since=EPOCH, offset=last.last, containing=containing)
        async with aclosing(reading) as messages:
            async for message in messages:
                if not begun:
                    begun = True
                    if message.offset == last.last and digest(message.body) != last.last_digest:
                        raise Unavailable(FOREIGN)
                    if message.offset > last.last + 1:
                        log.warning("archive has a gap", after=last.last, before=message.offset)
                if message.offset > last.last:
                    yield message
        if not begun:
            raise Unavailable(FOREIGN)

    def _messages(self, segment: Segment) -> list[Stored]:
        assert self.segments is not None  # noqa: S101 - it is one of theirs
        return self.segments.read(segment)


def _archived(message: Stored, containing: bytes | None) -> ArchivedMessage:
    skipped = containing is not None and containing not in message.body.lower()
    return ArchivedMessage(
        message.offset, message.routing_key, [] if skipped else events_of(message.body), message.body
    )
