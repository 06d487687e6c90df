"""The check of a file: lines come in, and whom to skip goes out, at the speed of a few comparisons a line.

Lines that are plain addresses, as nearly all are, are recognised together by one pass over their bytes; the filter
leaves those that may be blocked, and only these are asked for, thousands of lines a query, in the order of the file.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from asyncpg import Record

from returpost.contracts.addresses import key, normalise
from returpost.errors import InvalidAddress, InvalidMessage
from services.blocklist.checks import address_fast_path, repository
from services.blocklist.checks.bloom_filter import BloomFilters
from services.blocklist.checks.domains.domain import DomainBlocks, with_domain
from services.blocklist.checks.domains.memory import KnownDomainBlocks
from services.blocklist.suppression_files.entry import Entry
from services.blocklist.suppression_files.lines import MAX_LINE
from services.blocklist.suppression_files.reader import Found, ListReader
from shared.database.pool import Pool
from shared.pacing import in_pieces, paced

BATCH: Final = 256 * 1024
"""Bytes of lines that are checked together: about 10,000."""
AT_ONCE: Final = 3
"""Batches whose queries may be under way."""
FEW_LINES: Final = 30_000
"""A list up to this long is asked for line by line: a filter may be far larger than the list."""


class Write(Protocol):
    """Where the answer goes."""

    def __call__(self, data: bytes, /) -> object:
        """Keep these bytes."""
        ...


@dataclass(slots=True)
class Batch:
    """Lines and the keys of those that are addresses, at the same places."""

    lines: list[str]
    keys: list[str]
    problems: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.lines)


@dataclass(slots=True)
class Summary:
    """What the last line of the answer says."""

    checked: int = 0
    skip: int = 0
    invalid: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """Whose list it is and what is asked of it."""

    tenant: str
    stream: str | None
    now: datetime
    everything: bool = False
    """Answer every line, and not only those to skip and those that are no address."""


class StreamedCheck:
    """One check of one file."""

    def __init__(
        self,
        pool: Pool,
        bloom_filters: BloomFilters,
        domain_blocks: KnownDomainBlocks,
        question: Question,
        write: Write,
    ) -> None:
        self._pool = pool
        self._bloom_filters = bloom_filters
        self._domain_blocks = domain_blocks
        self._domains = DomainBlocks()
        self._question = question
        self._write = write
        self._under_way: deque[tuple[Batch, asyncio.Task[list[Record]]]] = deque()
        self.summary = Summary()

    async def run(self, batches: AsyncIterator[Batch]) -> Summary:
        """Check all batches; the answer is in order."""
        self._domains = await self._domain_blocks.current(self._pool, self._question.tenant)
        try:
            async for batch in batches:
                await self._ask(batch)
                while len(self._under_way) >= AT_ONCE:
                    await self._answer()
            while self._under_way:
                await self._answer()
        finally:
            for _, task in self._under_way:
                task.cancel()
        return self.summary

    async def _ask(self, batch: Batch) -> None:
        keys = batch.keys
        self.summary.checked += len(keys)
        if self.summary.checked > FEW_LINES and (found := await self._bloom_filters.of(self._question.tenant)):
            keys = [keys[n] for n in found.among(keys)]
        task = asyncio.create_task(self._fetch([each for each in keys if each]))
        self._under_way.append((batch, task))
        await asyncio.sleep(0)

    async def _fetch(self, keys: list[str]) -> list[Record]:
        if not keys:
            return []
        question = self._question
        return await repository.to_skip(self._pool, question.tenant, keys, question.now, question.stream)

    async def _answer(self) -> None:
        batch, task = self._under_way.popleft()
        blocked: dict[str, Any] = {row["address"]: row for row in await task}
        for n, block in self._domains.among(batch.keys, self._question.now):
            blocked[batch.keys[n]] = with_domain(blocked.get(batch.keys[n]), block)
        lines = [line async for line in paced(self._lines(batch, blocked))]
        self._write("".join(lines).encode("utf-8", "surrogatepass"))

    def _lines(self, batch: Batch, blocked: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
        problems, everything = batch.problems, self._question.everything
        for n, each in enumerate(batch.keys):
            row = blocked.get(each)
            if row is not None:
                yield _skip(batch.lines[n], row)
                self.summary.skip += 1
            elif not each:
                yield _line({"address": batch.lines[n], "problem": problems[n]})
                self.summary.invalid += 1
            elif everything:
                yield _line({"address": batch.lines[n], "skip": False})


async def text_batches(pieces: AsyncIterator[bytes]) -> AsyncIterator[Batch]:
    """Cut a text with an address a line into batches. Raises `InvalidMessage` for a line that is too long."""
    rest, size, waiting = b"", 0, list[bytes]()
    async for piece in in_pieces(pieces):
        waiting.append(piece)
        size += len(piece)
        if size >= BATCH:
            whole, end, rest = (rest + b"".join(waiting)).rpartition(b"\n")
            waiting, size = [], 0
            if len(rest) > MAX_LINE:
                raise InvalidMessage(f"a line is longer than {MAX_LINE} bytes; give an address a line")
            if end:
                yield await batch_of(whole + end)
    if last := rest + b"".join(waiting):
        yield await batch_of(last if last.endswith(b"\n") else last + b"\n")


async def list_batches(pieces: AsyncIterator[bytes]) -> AsyncIterator[Batch]:
    """Take the addresses out of CSV or JSON, in batches."""
    reader = ListReader()
    async for piece in in_pieces(pieces):
        if batch := await _of_lines(_written(reader.feed(piece))):
            yield batch
    if batch := await _of_lines(_written(reader.end())):
        yield batch


async def batch_of(lines: bytes) -> Batch:
    """Read lines, of which the last one ends with a line feed; empty ones are left out."""
    if (keys := address_fast_path.keys(lines)) is not None:
        return Batch(lines.decode("ascii").split("\n")[:-1], keys)
    return await _of_lines(line for line in lines.decode("utf-8", "replace").splitlines() if line.strip())


def _written(found: Iterable[Found]) -> Iterator[str]:
    return (each.address if isinstance(each, Entry) else "" for each in found)


async def _of_lines(lines: Iterable[str]) -> Batch:
    batch = Batch([], [])
    async for line in paced(lines):
        try:
            batch.keys.append(key(normalise(line)))
        except InvalidAddress as error:
            batch.keys.append("")
            batch.problems[len(batch.lines)] = str(error)
        batch.lines.append(line)
    return batch


def _skip(address: str, row: Mapping[str, Any]) -> str:
    reason = f'"{row["reason"]}"' if row["reason"] else "null"
    until = f'"{row["until"].isoformat()}"' if row["until"] else "null"
    domain = f',"domain":{json.dumps(row["domain"])}' if "domain" in row.keys() else ""  # noqa: SIM118 - of a Record
    also = json.dumps(row["also"], separators=(",", ":")) if row["also"] else "null"
    return (
        f'{{"address":{json.dumps(address, ensure_ascii=False)},"skip":true,"cause":"{row["cause"]}",'
        f'"reason":{reason},"since":"{row["since"].isoformat()}","until":{until},"also":{also}{domain}}}\n'
    )


def _line(value: dict[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
