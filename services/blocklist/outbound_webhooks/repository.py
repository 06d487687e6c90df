"""What is kept of webhooks, and its SQL."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from asyncpg import Record

from services.blocklist.outbound_webhooks.schedule import Again, Answer, Decision, Delivered, Skip
from shared.database.pool import Connection, Pool
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("repository.sql"))


@dataclass(frozen=True, slots=True)
class Webhook:
    """One subscriber: where it is, what signs for it, and where it reads on."""

    id: UUID
    tenant: str
    name: str
    url: str
    run: int
    secret: str
    old_secret: str | None
    old_secret_until: datetime | None
    start: datetime
    place: int | None

    def secrets(self, now: datetime) -> list[str]:
        """Return what signs now."""
        old_signs = self.old_secret is not None and self.old_secret_until is not None and now < self.old_secret_until
        return [self.secret, self.old_secret] if old_signs and self.old_secret else [self.secret]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is posted as one message: some parts of the stream, from one offset to another."""

    id: str
    first_offset: int
    last_offset: int
    events: int
    due_at: datetime
    attempts: int


def webhook_of(row: Record) -> Webhook:
    """Read a row."""
    return Webhook(**{name: row[name] for name in Webhook.__slots__})


async def held(pool: Pool, holder: UUID, lease: timedelta) -> list[Webhook]:
    """Take what nobody posts for, for as long as the lease; return all that the holder has."""
    await pool.execute(Q["hold"], holder, lease)
    return [webhook_of(row) for row in await pool.fetch(Q["held"], holder)]


async def next_open(pool: Pool, webhook: UUID) -> Delivery | None:
    """Return what is to be posted first, of what has been formed."""
    row = await pool.fetchrow(Q["open"], webhook)
    return None if row is None else Delivery(**row)


async def form(
    pool: Pool, webhook: Webhook, holder: UUID, id_: str, events: int, first: int, last: int, now: datetime
) -> Delivery | None:
    """Note what is posted next; nothing when somebody else posts for this webhook by now."""
    row = await pool.fetchrow(Q["form"], webhook.id, id_, events, first, last, now, webhook.run, holder)
    return None if row is None else Delivery(**row)


async def lost(pool: Pool, webhook: UUID, id_: str, now: datetime) -> None:
    """Note that something can no longer be posted."""
    await pool.execute(Q["lost"], webhook, id_, now)


async def last_was_skipped(pool: Pool, webhook: UUID) -> bool:
    """Say whether what was posted last, and is no longer tried, was given up."""
    return bool(await pool.fetchval(Q["last_done"], webhook) == "skipped")


async def disable(connection: Connection, webhook: UUID, why: str, now: datetime) -> bool:
    """Post nothing more until somebody enables it; return whether it was enabled."""
    return await connection.fetchval(Q["disable"], webhook, why, now, "blocklist") is not None


async def tried(
    connection: Connection, webhook: UUID, delivery: Delivery, answer: Answer, decision: Decision, now: datetime
) -> None:
    """Note one attempt, and what follows from it."""
    state = "delivered" if isinstance(decision, Delivered) else "skipped" if isinstance(decision, Skip) else "open"
    due = decision.at if isinstance(decision, Again) else None
    tried = {"time": now.isoformat(), "status": answer.status, "milliseconds": answer.milliseconds}
    await connection.execute(
        Q["tried"], webhook, delivery.id, state, answer.status, answer.problem, due, now,
        json.dumps(tried | ({"problem": answer.problem} if answer.problem else {})),
    )  # fmt: skip


def shown(row: Record, now: datetime) -> dict[str, Any]:
    """Return a webhook as the API shows it: all but its secrets."""
    names = ("name", "url", "enabled", "disabled_why", "version", "created_at", "created_by", "changed_at")
    old = row["old_secret_until"]
    return {name: row[name] for name in (*names, "changed_by")} | {
        "old_secret_until": old if old is not None and old > now else None,
        "from": row["start"] if row["place"] is None else None,
    }
