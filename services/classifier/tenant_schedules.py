"""Each tenant's own schedule of retries; the service's settings are the default."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from returpost.contracts import Reason, SettingsChanged, ids
from returpost.contracts.cloudevents import Event, event
from services.classifier.durations import Durations
from services.classifier.retry import Policy
from services.classifier.store import Q, Row
from shared.database.pool import Connection

SOURCE = "/returpost/classifier"
MAX_ATTEMPTS = 50
"""Retries of one recipient: Postal's 18 is the most that any of the peers does."""


class Schedule(BaseModel):
    """When soft bounces are tried again, and how fast."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    delays: Annotated[Durations, Field(max_length=MAX_ATTEMPTS)]
    """Time from each soft bounce to the next attempt; as many retries as there are delays, none for an empty list."""
    by_reason: dict[Reason, Annotated[Durations, Field(max_length=MAX_ATTEMPTS)]] = {}
    """The same for single reasons."""
    domain_limit: Annotated[int, Field(ge=0, le=1_000_000)]
    """Retry commands a minute for one receiving domain; 0: no limit."""


async def policies(connection: Connection, tenants: Iterable[str], default: Policy) -> dict[str, Policy]:
    """Return the policy of each of these tenants."""
    wanted = sorted(tenants)
    rows = await connection.fetch(Q["retry_settings"], wanted) if wanted else []
    own = {row["tenant"]: _policy(_schedule(row), default) for row in rows}
    return {tenant: own.get(tenant, default) for tenant in wanted}


async def read(connection: Connection, tenant: str, default: Policy) -> tuple[Schedule, dict[str, Any]]:
    """Return a tenant's schedule, and its version, when it was changed and by whom (0 and nothing: the default)."""
    row = await connection.fetchrow(Q["retry_settings"], [tenant])
    if row is None:
        return default_schedule(default), {"version": 0, "changed_at": None, "changed_by": None}
    return _schedule(row), {name: row[name] for name in ("version", "changed_at", "changed_by")}


async def save(
    connection: Connection, tenant: str, schedule: Schedule, version: int, by: str, now: datetime
) -> int | None:
    """Write a tenant's schedule over that version and return the new one; nothing when it is another by now."""
    seconds = {
        "delays": _seconds(schedule.delays),
        "by_reason": {reason: _seconds(delays) for reason, delays in schedule.by_reason.items()},
        "domain_limit": schedule.domain_limit,
    }
    saved: int | None = await connection.fetchval(
        Q["save_retry_settings"], tenant, version, json.dumps(seconds), now, by
    )
    return saved


def changes(
    before: Schedule, after: Schedule, tenant: str, version: int, by: str, now: datetime
) -> list[Event[SettingsChanged]]:
    """Return an event for each value that changed."""
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    names = [name for name in new if old[name] != new[name]]
    return [
        event(
            SettingsChanged(
                name=f"retry.{name}", old=json.dumps(old[name]), new=json.dumps(new[name]), time=now, by=by
            ),
            id=ids.of_content(SOURCE, tenant, str(version), name),
            source=SOURCE,
            tenant=tenant,
        )
        for name in names
    ]


def default_schedule(policy: Policy) -> Schedule:
    """Return the schedule that the service's settings are."""
    by_reason = {Reason(reason): delays for reason, delays in policy.by_reason.items()}
    return Schedule(delays=policy.delays, by_reason=by_reason, domain_limit=policy.domain_limit)


def _schedule(row: Row) -> Schedule:
    kept = json.loads(row["schedule"])
    return Schedule(
        delays=_timedeltas(kept["delays"]),
        by_reason={Reason(reason): _timedeltas(delays) for reason, delays in kept["by_reason"].items()},
        domain_limit=kept["domain_limit"],
    )


def _policy(schedule: Schedule, default: Policy) -> Policy:
    by_reason = {str(reason): delays for reason, delays in schedule.by_reason.items()}
    return replace(default, delays=schedule.delays, by_reason=by_reason, domain_limit=schedule.domain_limit)


def _seconds(delays: Iterable[timedelta]) -> list[float]:
    return [delay.total_seconds() for delay in delays]


def _timedeltas(seconds: Iterable[float]) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=each) for each in seconds)
