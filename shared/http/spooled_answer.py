"""An answer that waits until the body of its request has been read: most clients read nothing before they have sent."""

from collections.abc import AsyncIterator
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Self

from fastapi import HTTPException
from fastapi.responses import StreamingResponse

IN_MEMORY = 4 * 1024 * 1024
"""Bytes above which it waits on disk."""
MAX_ANSWER = 2 * 1024 * 1024 * 1024
"""Bytes; a line of two bytes may be answered with a hundred."""
PIECE = 256 * 1024


class SpooledAnswer:
    """Closes itself when its making fails, else when it has been sent."""

    def __init__(self, limit: int = MAX_ANSWER) -> None:
        self._file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed when it has been sent
        self._limit = limit
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is not None:
            self._file.close()

    def write(self, data: bytes) -> None:
        """Add to it. Raises HTTP 413 when it becomes too long."""
        self._size += len(data)
        if self._size > self._limit:
            raise HTTPException(413, f"body: its answer would be longer than {self._limit} bytes; send it in parts")
        self._file.write(data)

    def response(self, media_type: str) -> StreamingResponse:
        """Return what sends it."""
        self._file.seek(0)
        return StreamingResponse(self._pieces(), media_type=media_type)

    async def _pieces(self) -> AsyncIterator[bytes]:
        with self._file as kept:
            while piece := kept.read(PIECE):
                yield piece
