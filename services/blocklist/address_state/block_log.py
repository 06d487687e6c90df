"""The log of blocks and lifts: when, why, by whom. What it says last can be undone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from returpost.contracts.enums import BlockCause, Reason, UnblockCause
from services.blocklist.address_state.repository import Key, columns
from shared.database.pool import Connection
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("block_log.sql"))


@dataclass(frozen=True, slots=True)
class Logged:
    """One block or lift."""

    tenant: str
    address: str
    version: int
    at: datetime
    blocked: bool
    cause: BlockCause | UnblockCause
    reason: Reason | None
    subject: str | None
    until: datetime | None
    by: str
    note: str


class Undo(StrEnum):
    """What undoes a block or a lift."""

    TAKE_BACK = "take_back"
    """Somebody commanded it: as if it had not been said."""
    LIFT = "lift"
    """It followed from bounces: clear the bounce-flag."""
    BLOCK = "block"
    """It followed from a delivery, from settings or from time: block by hand."""


@dataclass(frozen=True, slots=True)
class Last:
    """The last block or lift of an address."""

    blocked: bool
    cause: str
    said_at: datetime | None
    """When it was commanded, if it was."""
    subject: str | None = None

    @property
    def undo(self) -> Undo:
        """Say what undoes it."""
        by_hand = self.cause in (BlockCause.MANUAL, UnblockCause.CLEARED) and self.said_at is not None
        if by_hand:
            return Undo.TAKE_BACK
        return Undo.LIFT if self.blocked else Undo.BLOCK


async def log(connection: Connection, rows: Sequence[Logged]) -> None:
    """Add to the log."""
    if rows:
        await connection.execute(Q["log"], *columns(map(_values, rows), 11))


async def last(connection: Connection, keys: Iterable[Key]) -> dict[Key, Last]:
    """Return the last block or lift of each of these addresses that had any."""
    return {
        (row["tenant"], row["address"]): Last(
            row["blocked"], row["cause"], row["manual_at"] if row["blocked"] else row["last_clear"], row["subject"]
        )
        for row in await connection.fetch(Q["last"], *columns(sorted(keys), 2))
    }


async def erase(connection: Connection, keys: Iterable[Key]) -> None:
    """Forget all of these addresses."""
    await connection.execute(Q["erase"], *columns(sorted(keys), 2))


def _values(r: Logged) -> tuple[object, ...]:
    return (r.tenant, r.address, r.version, r.at, r.blocked, r.cause, r.reason, r.subject, r.until, r.by, r.note)
