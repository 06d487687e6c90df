"""The SQL of a rebuild: what is copied from the live schema, compared with it, and written into it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from services.blocklist.address_state.records import Key
from shared.database.pool import Connection
from shared.database.queries import columns, queries

HISTORY: Final = (
    "time", "may_block", "mailing", "reason", "fault", "rule", "status", "text", "confidence", "stream", "ip",
)  # fmt: skip
COMMANDS: Final = (
    "last_clear", "cleared_by", "clear_note", "clear_before", "manual_at", "manual_by", "manual_note", "manual_until",
    "manual_before", "former_at", "former_by", "former_note", "former_lifted_at", "undone",
)  # fmt: skip
"""What commands say of an address: they are no events of the archive."""
STATE: Final = (
    "last_delivered", "return_count", "cause", "since", "reason", "mailing", "until", "exempt_streams", "streams",
    "also", "changes_at",
)  # fmt: skip
"""What follows from events, commands and settings."""
_SETTINGS: Final = (
    "tenant", "version", "accepted_bounces", "effects", "rules", "note", "changed_at", "changed_by",
)  # fmt: skip
_STORMS: Final = (
    "id", "tenant", "kind", "value", "begun", "suspended_from", "seen_at", "ended", "bounces", "of_bounces", "state",
    "judged_at", "judged_by", "note",
)  # fmt: skip
_SUBSCRIPTIONS: Final = ("tenant", "address", "stream", "time", "by", "note")


def _list(names: Sequence[str], of: str = "") -> str:
    return ", ".join(f"{of}{name}" for name in names)


def _set(names: Sequence[str]) -> str:
    return ", ".join(f"{name} = excluded.{name}" for name in names)


_KEYED = ("tenant", "address", "id", *HISTORY)
_COMPARED = ("tenant", *STATE)
_PARTS: Final = {
    "settings": _list(_SETTINGS), "storms": _list(_STORMS), "subscriptions": _list(_SUBSCRIPTIONS),
    "commands": _list(COMMANDS), "set_commands": _set(COMMANDS), "history": _list(_KEYED),
    "r_history": _list(_KEYED, "r."), "set_history": _set(HISTORY), "live_addresses": _list(_COMPARED, "l."),
    "new_addresses": _list(_COMPARED, "r."), "live_history": _list(_KEYED, "l."), "new_history": _list(_KEYED, "r."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DifferenceCount:
    """How many rows differ alike."""

    table: str
    kind: str
    """missing: the live schema has none. extra: no event tells of it. different."""
    fields: tuple[str, ...]
    number: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that differs."""

    tenant: str
    address: str
    table: str
    id: UUID | None
    kind: str
    fields: tuple[str, ...]


class RebuildRepository:
    """Two schemas of one database; the search path has the new one, or the live one where that is written to."""

    def __init__(self, live: str, new: str) -> None:
        read, parts = queries(Path(__file__).with_name("rebuild.sql")), {"live": live, "new": new, **_PARTS}
        self._queries: Mapping[str, str] = {name: text.format(**parts) for name, text in read.items()}

    async def prepare(self, connection: Connection) -> None:
        """Make the table of differences."""
        await connection.execute(self._queries["prepare"])

    async def copy(self, connection: Connection, since: datetime, keys: Sequence[Key] | None) -> None:
        """Copy what no event of the archive tells, which begins at a time: of some addresses, or of all."""
        q, named = self._queries, (None, None) if keys is None else columns(keys, 2)
        await connection.execute(q["forget_settings"])
        await connection.execute(q["insert_settings"])
        await connection.execute(q["insert_storms"])
        await connection.execute(q["copy_addresses"], since, *named)
        await connection.execute(q["forget_history"], *named)
        await connection.execute(q["copy_history"], since, *named)
        await connection.execute(q["forget_subscriptions"], *named)
        await connection.execute(q["copy_subscriptions"], *named)

    async def erase(self, connection: Connection) -> None:
        """Remove what happened before the erasure of its address."""
        for name in ("erase_history", "erase_deliveries", "erase_addresses"):
            await connection.execute(self._queries[name])

    async def next_addresses(self, connection: Connection, after: Key, limit: int) -> list[Key]:
        """Return the next addresses in the order of their keys."""
        rows = await connection.fetch(self._queries["next_addresses"], *after, limit)
        return [(row["tenant"], row["address"]) for row in rows]

    async def compare(self, connection: Connection, keys: Sequence[Key] | None) -> list[Key]:
        """Note how the schemas differ, in some addresses or in all; return the addresses that do."""
        q, named = self._queries, (None, None) if keys is None else columns(keys, 2)
        await connection.execute(q["clear_differences"])
        await connection.execute(q["compare_addresses"], *named, list(STATE))
        await connection.execute(q["compare_history"], *named, list(HISTORY))
        return await self.differing(connection)

    async def differing(self, connection: Connection) -> list[Key]:
        """Return the addresses that differ, as the last comparison has noted."""
        return [(row["tenant"], row["address"]) for row in await connection.fetch(self._queries["differing"])]

    async def counts(self, connection: Connection) -> tuple[int, int]:
        """Return how many addresses there are, and rows of the history."""
        row = await connection.fetchrow(self._queries["counts"])
        assert row is not None  # noqa: S101 - an aggregate has a row
        return row["addresses"], row["history"]

    async def summary(self, connection: Connection) -> list[DifferenceCount]:
        """Return how many rows differ in which way."""
        rows = await connection.fetch(self._queries["summary"])
        return [DifferenceCount(row["of"], row["kind"], tuple(row["fields"]), row["number"]) for row in rows]

    async def sample(self, connection: Connection, limit: int) -> list[Difference]:
        """Return some rows that differ."""
        rows = await connection.fetch(self._queries["sample"], limit)
        return [Difference(r["tenant"], r["address"], r["of"], r["id"], r["kind"], tuple(r["fields"])) for r in rows]

    async def take(self, connection: Connection, keys: Sequence[Key], compared_at: datetime) -> None:
        """Write the facts of locked addresses into the live schema where they differ."""
        q, named = self._queries, columns(keys, 2)
        await connection.execute(q["take_extra"], *named)
        await connection.execute(q["take_history"], *named)
        await connection.execute(q["take_deliveries"], *named, compared_at)
