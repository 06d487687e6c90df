"""A folder in which messages wait for a broker that is away; they survive a crash of the sender and of its machine."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from returpost.errors import ReturpostError

MAX_BYTES = 1_000_000_000
_DONE, _WRITING = ".json", ".part"


class SpoolFull(ReturpostError):
    """The spool has reached its size; what was to be published is not taken, and safe nowhere."""


@dataclass(slots=True)
class Spool:
    """One file a message. Several processes may share the folder: a message that two of them send has the same ids."""

    folder: Path
    max_bytes: int = MAX_BYTES

    def __post_init__(self) -> None:
        self.folder = Path(self.folder)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, body: bytes) -> None:
        """Write a message so that it is there after a power cut. Raises `SpoolFull`, and `OSError` of a full disk."""
        if self.size() + len(body) > self.max_bytes:
            raise SpoolFull(
                f"{self.folder}: {self.max_bytes} bytes are waiting for RabbitMQ; it has been away too long"
            )
        path = self.folder / uuid4().hex
        with path.with_suffix(_WRITING).open("xb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        path.with_suffix(_WRITING).rename(path.with_suffix(_DONE))
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def waiting(self) -> Iterator[tuple[Path, bytes]]:
        """Yield the messages that wait; what another process has sent meanwhile is left out."""
        for path in sorted(self.folder.glob(f"*{_DONE}")):
            try:
                yield path, path.read_bytes()
            except FileNotFoundError:
                continue

    def sent(self, path: Path) -> None:
        """Take a message out."""
        path.unlink(missing_ok=True)

    def size(self) -> int:
        """Return the bytes that wait."""
        total = 0
        for path in self.folder.glob(f"*{_DONE}"):
            try:
                total += path.stat().st_size
            except FileNotFoundError:
                continue
        return total
