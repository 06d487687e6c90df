"""The policies of the tenants, as their settings have them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from asyncpg import Record

from returpost.contracts.enums import BlockCause, Reason
from services.blocklist.tenant_settings.domain import DEFAULT_EFFECTS, Counting, Effect, Policy
from shared.database.pool import Connection
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("repository.sql"))


async def of_tenants(connection: Connection, tenants: Iterable[str]) -> dict[str, Policy]:
    """Return the policy of each tenant, which stays as it is until the transaction ends."""
    wanted = sorted(set(tenants))
    await connection.execute(Q["hold_settings"], wanted)
    found = {row["tenant"]: policy_of(row) for row in await connection.fetch(Q["settings"], wanted)}
    return {tenant: found.get(tenant, Policy()) for tenant in wanted}


async def of_tenant(connection: Connection, tenant: str) -> Policy:
    """Return the policy of a tenant as it is now; it may change at once."""
    return policy_of(await connection.fetchrow(Q["settings"], [tenant]))


def policy_of(row: Record | None) -> Policy:
    """Read a row of settings; without one, the defaults."""
    if row is None:
        return Policy()
    own = {Reason(reason): Effect(effect) for reason, effect in json.loads(row["effects"]).items()}
    return Policy(row["accepted_bounces"], {**DEFAULT_EFFECTS, **own}, **_read(json.loads(row["rules"])))


def columns_of(policy: Policy) -> tuple[int, str, str]:
    """Return what a row of settings keeps: the accepted bounces, and of all else what differs from the default."""
    effects = {reason: effect for reason, effect in policy.effects.items() if effect is not DEFAULT_EFFECTS[reason]}
    plain = Policy()
    rules = {name: value for name, value in rules_of(policy).items() if value != rules_of(plain)[name]}
    return policy.accepted_bounces, json.dumps(effects), json.dumps(rules)


def rules_of(policy: Policy) -> dict[str, Any]:
    """Return the rules other than the accepted bounces and the effects as plain values."""
    return {
        "counting": policy.counting.value,
        "decay_days": policy.decay_days,
        "expiry_days": list(policy.expiry_days),
        "once_a_day": policy.once_a_day,
        "streams": {stream: sorted(causes) for stream, causes in sorted(policy.streams.items())},
        "skip_erased": policy.skip_erased,
        "erase_after_days": policy.erase_after_days,
    }


def _read(rules: dict[str, Any]) -> dict[str, Any]:
    read = dict(rules)
    if "counting" in rules:
        read["counting"] = Counting(rules["counting"])
    if "expiry_days" in rules:
        read["expiry_days"] = tuple(rules["expiry_days"])
    if "streams" in rules:
        read["streams"] = {stream: frozenset(map(BlockCause, causes)) for stream, causes in rules["streams"].items()}
    return read
