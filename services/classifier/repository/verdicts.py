"""Verdicts, and the texts that no rule knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shared.database.pool import Connection, Pool
from shared.database.queries import columns, queries

Q = queries(Path(__file__).with_name("verdicts.sql"))


@dataclass(frozen=True, slots=True)
class VerdictCount:
    """Verdicts of one type and reason."""

    type: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class UnknownText:
    """A text that no rule knows, and the bounces that had it."""

    fingerprint: str
    text: str
    bounces: int
    mailings: int
    first_seen: datetime
    last_seen: datetime
    reasons: list[str]


async def record_verdicts(connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    """Keep (id, tenant, mailing, type, reason, fault, rule, time, fingerprint) of each bounce."""
    await connection.execute(Q["record_verdicts"], *columns(rows, 9))


async def record_unknown_texts(connection: Connection, texts: Mapping[tuple[str, bytes], str]) -> None:
    """Keep the text of each (tenant, fingerprint)."""
    if texts:
        rows = [(*key, texts[key]) for key in sorted(texts)]
        await connection.execute(Q["record_unknown_texts"], *columns(rows, 3))


async def count_by_reason(pool: Pool, tenant: str, mailing: str | None) -> list[VerdictCount]:
    """Count the verdicts of a tenant, or of one of its mailings, most frequent first."""
    return [VerdictCount(**dict(row)) for row in await pool.fetch(Q["count_verdicts"], tenant, mailing)]


async def list_unknown_texts(
    pool: Pool, tenant: str, since: datetime, only_undetermined: bool, limit: int
) -> list[UnknownText]:
    """Return the texts that no rule knew since a time, most frequent first."""
    rows = await pool.fetch(Q["list_unknown_texts"], tenant, since, only_undetermined, limit)
    return [UnknownText(**(dict(row) | {"fingerprint": row["fingerprint"].hex()})) for row in rows]


async def purge(connection: Connection, before: datetime) -> None:
    """Delete what is older."""
    for name in ("purge_verdicts", "purge_unknown_texts"):
        await connection.execute(Q[name], before)
