"""The folder of segments: the part of the archive that outlives the stream. One process writes, all read."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from services.replay.domain.archive_selection import tenant_of
from services.replay.domain.erased_events import Erasures, without
from services.replay.domain.segment import Damaged, Header, Stored, decode, digest, encode, split
from shared.database.residual_search import forms

_NAME = re.compile(r"\d{20}\.segment")
_HEAD = 64 * 1024


@dataclass(frozen=True, slots=True)
class Segment:
    """One file, and what it holds."""

    path: Path
    header: Header


class Segments:
    """The segments of a folder, in the order of the stream."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self._known: dict[tuple[str, int, int], Header] = {}

    def listed(self) -> list[Segment]:
        """Return the segments. Raises `Damaged`, `OSError`."""
        found: dict[tuple[str, int, int], Header] = {}
        for path in sorted(self.folder.iterdir()):
            if _NAME.fullmatch(path.name):
                stat = path.stat()
                version = (path.name, stat.st_mtime_ns, stat.st_size)
                found[version] = self._known.get(version) or _header(path)
        self._known = found
        return [Segment(self.folder / name, header) for (name, _, _), header in found.items()]

    def read(self, segment: Segment) -> list[Stored]:
        """Return the messages of a segment. Raises `Damaged`, `OSError`."""
        return self._decoded(segment.path)[1]

    def write(self, messages: Sequence[Stored], erasures: Erasures) -> None:
        """Write a segment. What it tells to be erased goes out of the others first, so that a crash leaves nothing."""
        if erasures:
            self.erase(erasures)
        path = self.folder / f"{messages[0].offset:020}.segment"
        self._replace(path, encode(without(messages, erasures, forms), digest(messages[-1].body)))

    def erase(self, erasures: Erasures) -> None:
        """Take what is erased out of the segments that may have it."""
        for segment in self.listed():
            mine = {key: until for key, until in erasures.items() if _may_have(segment.header, key[0])}
            if not mine:
                continue
            header, messages = self._decoded(segment.path)
            kept = without(messages, mine, forms)
            if kept != messages:
                self._replace(segment.path, encode(kept, header.last_digest))

    def of_tenant(self, tenant: str) -> int:
        """Return how many messages are of a tenant."""
        return sum(
            tenant_of(message.routing_key) == tenant
            for segment in self.listed()
            if _may_have(segment.header, tenant)
            for message in self.read(segment)
        )

    def forget(self, tenant: str) -> None:
        """Remove all that is of a tenant; the places of its messages stay, empty."""
        for segment in self.listed():
            if _may_have(segment.header, tenant):
                header, messages = self._decoded(segment.path)
                kept = [
                    Stored(one.offset, "", b"") if tenant_of(one.routing_key) == tenant else one for one in messages
                ]
                self._replace(segment.path, encode(kept, header.last_digest))

    def purge(self, before: datetime) -> int:
        """Remove the oldest segments, as far as all their events are older; return how many that were."""
        count = 0
        for segment in self.listed()[:-1]:  # the last one says where to go on
            if segment.header.newest is not None and segment.header.newest >= before:
                break
            segment.path.unlink()
            count += 1
        return count

    def _decoded(self, path: Path) -> tuple[Header, list[Stored]]:
        try:
            return decode(path.read_bytes())
        except Damaged as error:
            raise _named(path, error) from None

    def _replace(self, path: Path, content: bytes) -> None:
        """Put a file there as a whole, or not at all."""
        new = path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _may_have(header: Header, tenant: str) -> bool:
    return header.tenants is None or tenant in header.tenants


def _header(path: Path) -> Header:
    try:
        with path.open("rb") as file:
            return split(file.read(_HEAD))[0]
    except Damaged as error:
        raise _named(path, error) from None


def _named(path: Path, error: Damaged) -> Damaged:
    return Damaged(f"the archive's segment {path.name} is damaged: {error}; put back a copy of it, or move it away")
