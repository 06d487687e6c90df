"""Pending retries as operators change them, and the log of what they did."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from services.classifier.domain.retry_admin import Action, RetrySelection
from shared.database.pool import Connection, Pool
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("retry_admin.sql"))


@dataclass(frozen=True, slots=True)
class ActionRow:
    """One action of an operator."""

    id: int
    time: datetime
    actor: str
    action: Action
    selection: RetrySelection
    retries: int


async def count(connection: Connection, tenant: str, action: Action, selection: RetrySelection, now: datetime) -> int:
    """Return how many retries the action would change."""
    found: int = await connection.fetchval(Q["count_selected"], tenant, action, now, *_parameters(selection))
    return found


async def apply(
    connection: Connection, tenant: str, action: Action, selection: RetrySelection, now: datetime, limit: int
) -> int:
    """Do it to the next `limit` retries; return how many that were."""
    rows = await connection.fetch(Q["lock_selected"], tenant, action, now, *_parameters(selection), limit)
    arguments = (now,) if action is Action.RUN_NOW else ()
    await connection.execute(Q[action], [row["recipient"] for row in rows], *arguments)
    return len(rows)


async def log_action(
    connection: Connection, tenant: str, action: Action, selection: RetrySelection, by: str, now: datetime, retries: int
) -> None:
    """Record who did what to how many retries."""
    selected = json.dumps(selection.model_dump(mode="json", exclude_defaults=True))
    await connection.execute(Q["add_action"], tenant, now, by, action, selected, retries)


async def list_page(pool: Pool, tenant: str, before: int | None, limit: int) -> list[ActionRow]:
    """Return up to `limit` actions, newest first, before an id."""
    rows = await pool.fetch(Q["list_actions"], tenant, before, limit)
    return [
        ActionRow(
            row["id"],
            row["time"],
            row["actor"],
            Action(row["action"]),
            RetrySelection.model_validate_json(row["selection"]),
            row["retries"],
        )
        for row in rows
    ]


def _parameters(selection: RetrySelection) -> tuple[object, ...]:
    """Return the parameters of `count_selected` and `lock_selected` that select."""
    recipients = None if selection.recipients is None else [recipient.bytes for recipient in selection.recipients]
    domain = None if selection.domain is None else selection.domain.lower()
    return recipients, selection.mailing, domain, selection.reason, selection.sender
