"""The SQL of webhooks and their deliveries."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from asyncpg import Record

from services.blocklist.outbound_webhooks.schedule import Again, Decision, Delivered, Skip
from shared.database.pool import Connection, Pool
from shared.database.queries import queries
from shared.outbound.answer import Answer

Q = queries(Path(__file__).with_name("repository.sql"))


@dataclass(frozen=True, slots=True)
class Webhook:
    """One subscriber: where it is, what signs for it, and where it reads on."""

    id: UUID
    tenant: str
    name: str
    url: str
    generation: int
    secret: str
    old_secret: str | None
    old_secret_until: datetime | None
    start_at: datetime
    last_offset: int | None

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


async def lease(pool: Pool, holder: UUID, duration: timedelta) -> list[Webhook]:
    """Lease the webhooks that nobody posts for, for so long; return all that the holder has."""
    await pool.execute(Q["lease"], holder, duration)
    return [webhook_of(row) for row in await pool.fetch(Q["leased"], holder)]


async def next_open(pool: Pool, webhook: UUID) -> Delivery | None:
    """Return what is to be posted first, of what has been formed."""
    row = await pool.fetchrow(Q["open"], webhook)
    return None if row is None else Delivery(**row)


async def form(
    pool: Pool, webhook: Webhook, holder: UUID, id_: str, events: int, first: int, last: int, now: datetime
) -> Delivery | None:
    """Note what is posted next; nothing when somebody else posts for this webhook by now."""
    row = await pool.fetchrow(Q["form"], webhook.id, id_, events, first, last, now, webhook.generation, holder)
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


async def release(pool: Pool, holder: UUID) -> None:
    """Leave the leased webhooks to others."""
    await pool.execute(Q["release"], holder)


async def prune(pool: Pool, before: datetime) -> None:
    """Forget what was posted before a time."""
    await pool.execute(Q["prune"], before)


async def of_tenant(pool: Pool, tenant: str) -> list[Record]:
    """Return all webhooks of a tenant."""
    rows: list[Record] = await pool.fetch(Q["of_tenant"], tenant)
    return rows


async def add(
    pool: Pool, id_: UUID, tenant: str, name: str, url: str, secret: str, start_at: datetime, now: datetime, by: str
) -> Record | None:
    """Add a webhook; return nothing when its name is taken."""
    row: Record | None = await pool.fetchrow(Q["add"], id_, tenant, name, url, secret, start_at, now, by)
    return row


async def get(pool: Pool, tenant: str, name: str) -> Record | None:
    """Return one webhook of a tenant."""
    row: Record | None = await pool.fetchrow(Q["one"], tenant, name)
    return row


async def lock(connection: Connection, tenant: str, name: str) -> Record | None:
    """Return one webhook of a tenant, locked until the transaction ends."""
    row: Record | None = await connection.fetchrow(Q["lock"], tenant, name)
    return row


async def change(
    connection: Connection, id_: UUID, url: str, enabled: bool, why: str | None, now: datetime, by: str
) -> Record:
    """Change where a locked webhook goes, and whether it does; enabled, what is open is tried at once."""
    (row,) = await connection.fetch(Q["change"], id_, url, enabled, why, now, by)
    if enabled:
        await connection.execute(Q["reopen"], id_, now)
    return row


async def rotate(connection: Connection, id_: UUID, secret: str, until: datetime, now: datetime, by: str) -> Record:
    """Give a locked webhook another secret; the one before still signs until then."""
    (row,) = await connection.fetch(Q["rotate"], id_, secret, until, now, by)
    return row


async def secrets_ending(connection: Connection, now: datetime, until: datetime) -> list[Record]:
    """Return the webhooks, of all tenants, of which the old secret no longer signs from a time soon on."""
    rows: list[Record] = await connection.fetch(Q["secrets_ending"], now, until)
    return rows


async def remove(pool: Pool, tenant: str, name: str) -> bool:
    """Remove a webhook and the log of what was posted to it; return whether there was one."""
    return await pool.fetchval(Q["remove"], tenant, name) is not None


async def deliveries(
    pool: Pool, webhook: UUID, state: str | None, before: tuple[datetime | None, str | None], limit: int
) -> list[Record]:
    """Return a page of what was posted, newest first, in one state if it is given."""
    rows: list[Record] = await pool.fetch(Q["deliveries"], webhook, state, *before, limit)
    return rows


async def delivery(pool: Pool, webhook: UUID, id_: str) -> Record | None:
    """Return one delivery with its attempts."""
    row: Record | None = await pool.fetchrow(Q["delivery"], webhook, id_)
    return row


async def deliveries_of(
    pool: Pool, tenant: str, places: Sequence[tuple[int, datetime]], since: datetime
) -> list[Record]:
    """Return with which deliveries parts of the stream were posted, each with the number (from 1) of its place.

    A place is an offset and the time of its event. `since`: no delivery of them was formed before.
    """
    offsets, times = [offset for offset, _ in places], [time for _, time in places]
    rows: list[Record] = await pool.fetch(Q["deliveries_of"], tenant, offsets, times, since)
    return rows


async def resend(pool: Pool, webhook: UUID, id_: str, now: datetime) -> bool:
    """Have one posted again; return whether there is such a delivery."""
    return await pool.fetchval(Q["deliver_again"], webhook, id_, now) is not None


async def send_from(pool: Pool, webhook: UUID, start_at: datetime, now: datetime) -> None:
    """Begin again at a time."""
    await pool.execute(Q["send_from"], webhook, start_at, now)
