"""The policies of the tenants, as their settings have them."""

import json
from collections.abc import Iterable
from pathlib import Path

from asyncpg import Record

from services.blocklist.policy import DEFAULT_EFFECTS, Effect, Policy
from shared.database import Connection, queries
from shared.vocabulary import Reason

Q = queries(Path(__file__).with_name("sql") / "settings.sql")


async def of_tenants(connection: Connection, tenants: Iterable[str]) -> dict[str, Policy]:
    """Return the policy of each tenant, which stays as it is until the transaction ends."""
    wanted = sorted(set(tenants))
    await connection.execute(Q["hold_settings"], wanted)
    found = {row["tenant"]: policy_of(row) for row in await connection.fetch(Q["settings"], wanted)}
    return {tenant: found.get(tenant, Policy()) for tenant in wanted}


def policy_of(row: Record | None) -> Policy:
    """Read a row of settings; without one, the defaults."""
    if row is None:
        return Policy()
    own = {Reason(reason): Effect(effect) for reason, effect in json.loads(row["effects"]).items()}
    return Policy(row["accepted_bounces"], {**DEFAULT_EFFECTS, **own})


def effects_text(policy: Policy) -> str:
    """Return what a row of settings keeps: the effects that differ from the default."""
    return json.dumps({r: e for r, e in policy.effects.items() if e is not DEFAULT_EFFECTS[r]})
