"""The SQL of standings and their facts. Every function works on a batch; nothing is decided here.

Whoever changes addresses first takes all of them in hand, in the order of their keys, by `touch`, `clear`,
`set_by_hand` or `take_in_hand`, one of these a transaction: so two batches with the same addresses wait for each
other instead of locking each other out.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from asyncpg import Record

from returpost.contracts.enums import BlockCause, Reason
from services.blocklist.address_state.domain import FOREVER, NEVER, Block, Bounce, Facts, Standing
from shared.database.pool import Connection
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("repository.sql"))
UNDO = queries(Path(__file__).with_name("command_undo.sql"))

Key = tuple[str, str]
"""Tenant and key of the address."""
Said = tuple[datetime, str, str]
"""When somebody commanded something, who, and the note."""
Set = tuple[datetime, str, str, datetime | None]
"""The same of a block by hand, and when it ends by itself."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of history."""

    tenant: str
    address: str
    id: UUID
    time: datetime
    may_block: bool
    mailing: str
    reason: Reason
    fault: str
    rule: str
    status: str | None
    text: str
    stream: str | None = None
    ip: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one address, and the standing that it had so far."""

    facts: Facts
    standing: Standing
    version: int
    manual_by: str | None = None
    manual_note: str | None = None


async def touch(connection: Connection, delivered: Mapping[Key, datetime | None]) -> list[Key]:
    """Take addresses in hand and note deliveries; return those whose count a delivery may have reduced."""
    rows = await connection.fetch(Q["touch"], *columns(((*key, delivered[key]) for key in sorted(delivered)), 3))
    return [(row["tenant"], row["address"]) for row in rows]


async def clear(connection: Connection, commands: Mapping[Key, Said]) -> None:
    """Take addresses in hand and note when they were cleared."""
    await connection.execute(Q["clear"], *columns(((*key, *commands[key]) for key in sorted(commands)), 5))


async def set_by_hand(connection: Connection, commands: Mapping[Key, Set]) -> None:
    """Take addresses in hand and note when they were blocked by hand."""
    await connection.execute(Q["set"], *columns(((*key, *commands[key]) for key in sorted(commands)), 6))


async def undo(connection: Connection, of: Mapping[Key, datetime]) -> None:
    """Put back what was before the clear or block by hand of a time, of addresses that are in hand."""
    await connection.execute(Q["by_key"])
    await connection.execute(UNDO["undo"], *columns(((*key, of[key]) for key in sorted(of)), 3))


async def record(connection: Connection, lines: Iterable[Line]) -> set[UUID]:
    """Add to the history of addresses that are in hand; return the ids of what was not known so."""
    first: dict[tuple[str, str, UUID], Line] = {}
    for line in lines:
        identity = (line.tenant, line.address, line.id)
        if identity not in first or line.time < first[identity].time:
            first[identity] = line
    rows = (
        (r.tenant, r.address, r.id, r.time, r.may_block, r.mailing, r.reason, r.fault, r.rule, r.status, r.text,
         r.stream, r.ip)
        for _, r in sorted(first.items(), key=lambda item: item[0])
    )  # fmt: skip
    return {row["id"] for row in await connection.fetch(Q["record"], *columns(rows, 13))}


async def known(connection: Connection, keys: Sequence[Key]) -> dict[Key, Known]:
    """Return what is known of each of these addresses that exists."""
    rows = await connection.fetch(Q["known"], *columns(keys, 2))
    cleared = [(row["tenant"], row["address"], row["last_clear"] or NEVER) for row in rows]
    bounces: dict[Key, list[Bounce]] = defaultdict(list)
    for line in await connection.fetch(Q["bounces"], *columns(cleared, 3)):
        bounce = Bounce(
            line["mailing"], Reason(line["reason"]), line["time"], line["may_block"], line["stream"], line["ip"]
        )
        bounces[line["tenant"], line["address"]].append(bounce)
    return {
        key: Known(
            Facts(
                bounces.get(key, ()),
                row["last_delivered"] or NEVER,
                row["last_clear"] or NEVER,
                row["manual_at"] or NEVER,
                row["manual_until"] or FOREVER,
            ),
            _standing(row),
            row["version"],
            row["manual_by"],
            row["manual_note"],
        )
        for row in rows
        for key in [(row["tenant"], row["address"])]
    }


async def write(connection: Connection, standings: Iterable[tuple[Key, int, Standing]]) -> None:
    """Write the standings of addresses that are in hand, with their versions."""
    rows = []
    for key, version, standing in standings:
        block = standing.block
        why: tuple[Any, ...] = (None,) * 6
        if block:
            spares = ",".join(block.spares) or None
            why = (block.cause, block.since, block.reason, block.mailing, block.until, spares)
        rows.append((*key, version, standing.return_count, *why, standing.review))
    await connection.execute(Q["write"], *columns(rows, 11))


async def due(connection: Connection, now: datetime, limit: int) -> dict[Key, datetime]:
    """Return addresses whose standing time has changed, and since when."""
    rows = await connection.fetch(Q["due"], now, limit)
    return {(row["tenant"], row["address"]): row["review"] for row in rows}


async def take_in_hand(connection: Connection, keys: Iterable[Key]) -> dict[Key, tuple[bool, int]]:
    """Take the addresses that exist in hand; return whether each is blocked, and its version."""
    rows = await connection.fetch(Q["take_in_hand"], *columns(sorted(keys), 2))
    return {(row["tenant"], row["address"]): (row["cause"] is not None, row["version"]) for row in rows}


async def erase(connection: Connection, keys: Iterable[Key]) -> None:
    """Remove addresses that are in hand, with all their history."""
    places = columns(sorted(keys), 2)
    await connection.execute(Q["by_key"])
    await connection.execute(Q["erase_history"], *places)
    await connection.execute(Q["erase"], *places)


def _standing(row: Record) -> Standing:
    if row["cause"] is None:
        return Standing(row["return_count"], None, row["review"])
    reason = Reason(row["reason"]) if row["reason"] else None
    spares = tuple(row["spares"] or ())
    block = Block(BlockCause(row["cause"]), row["since"], reason, row["mailing"], row["until"], spares)
    return Standing(row["return_count"], block, row["review"])


def columns(rows: Iterable[Sequence[Any]], width: int) -> list[Sequence[Any]]:
    """Return rows as the columns that `unnest` takes."""
    return list(zip(*rows, strict=True)) or [()] * width
