"""The thresholds of tenants."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from services.actions.mailings.stop_signals.thresholds import DEFAULT_SETTINGS, StopSignals
from shared.database.pool import Connection, Pool
from shared.database.queries import queries

_Q = queries(Path(__file__).with_name("thresholds.sql"))


@dataclass(frozen=True, slots=True)
class Version:
    """Which version of the thresholds it is, and who wrote it, when and why; version 0 is the default."""

    version: int = 0
    changed_at: datetime | None = None
    changed_by: str | None = None
    note: str = ""


async def read(connection: Connection | Pool, tenant: str) -> tuple[StopSignals, Version]:
    """Return a tenant's thresholds, and which version they are."""
    row = await connection.fetchrow(_Q["thresholds"], tenant)
    if row is None:
        return DEFAULT_SETTINGS, Version()
    version = Version(row["version"], row["changed_at"], row["changed_by"], row["note"])
    return StopSignals.model_validate_json(row["thresholds"]), version


async def save(
    connection: Connection, tenant: str, settings: StopSignals, version: int, by: str, note: str, now: datetime
) -> int | None:
    """Overwrite that version of a tenant's thresholds and return the new one; None when another is current."""
    given = (tenant, version, settings.model_dump_json(), now, by, note)
    saved: int | None = await connection.fetchval(_Q["save"], *given)
    return saved
