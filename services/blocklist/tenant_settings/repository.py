"""The SQL of the tenants' settings."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from asyncpg import Record

from returpost.contracts.enums import BlockCause, Reason
from services.blocklist.tenant_settings.changes import rules_of
from services.blocklist.tenant_settings.domain import DEFAULT_EFFECTS, Counting, Effect, Policy
from shared.database.pool import Connection, Pool
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("repository.sql"))


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes settings, why and when."""

    by: str
    note: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a tenant's settings."""

    policy: Policy
    version: int = 0
    """0 stands for the defaults."""
    changed_at: datetime | None = None
    changed_by: str | None = None
    note: str = ""


async def of_tenants(connection: Connection, tenants: Iterable[str]) -> dict[str, Policy]:
    """Return the policy of each tenant, which stays as it is until the transaction ends."""
    wanted = sorted(set(tenants))
    await connection.execute(Q["hold"], wanted)
    found = {row["tenant"]: _policy(row) for row in await connection.fetch(Q["current"], wanted)}
    return {tenant: found.get(tenant, Policy()) for tenant in wanted}


async def of_tenant(connection: Connection | Pool, tenant: str) -> Policy:
    """Return the policy of a tenant as it is now; it may change at once."""
    return (await current_version(connection, tenant)).policy


async def current(connection: Connection, tenant: str) -> tuple[Policy, int]:
    """Return the policy of a tenant and its version; 0 stands for the defaults."""
    version = await current_version(connection, tenant)
    return version.policy, version.version


async def current_version(connection: Connection | Pool, tenant: str) -> Version:
    """Return the settings of a tenant that are in force."""
    return _version(await connection.fetchrow(Q["current"], [tenant]))


async def of_version(connection: Connection, tenant: str, version: int) -> Policy | None:
    """Return the policy of one version, if there is such a version."""
    row = await connection.fetchrow(Q["version"], tenant, version)
    return None if row is None else _policy(row)


async def versions(pool: Pool, tenant: str, before: int | None, limit: int) -> list[Version]:
    """Return the newest versions of a tenant's settings, below a version if one is given."""
    return [_version(row) for row in await pool.fetch(Q["versions"], tenant, before, limit)]


async def lock(connection: Connection, tenant: str) -> None:
    """Wait until nobody decides by the settings of this tenant any more, and let nobody begin."""
    await connection.execute(Q["lock"], tenant)


async def save(connection: Connection, tenant: str, version: int, policy: Policy, author: Author) -> None:
    """Write a tenant's settings, and keep them as a version."""
    effects = {reason: effect for reason, effect in policy.effects.items() if effect is not DEFAULT_EFFECTS[reason]}
    defaults = rules_of(Policy())
    rules = {name: value for name, value in rules_of(policy).items() if value != defaults[name]}
    row = (tenant, version, policy.accepted_bounces, json.dumps(effects), json.dumps(rules))
    await connection.execute(Q["save"], *row, author.time, author.by, author.note)


def _version(row: Record | None) -> Version:
    if row is None:
        return Version(Policy())
    return Version(_policy(row), row["version"], row["changed_at"], row["changed_by"], row["note"])


def _policy(row: Record) -> Policy:
    own = {Reason(reason): Effect(effect) for reason, effect in json.loads(row["effects"]).items()}
    return Policy(row["accepted_bounces"], {**DEFAULT_EFFECTS, **own}, **_rules(json.loads(row["rules"])))


def _rules(rules: dict[str, Any]) -> dict[str, Any]:
    read = dict(rules)
    if "counting" in rules:
        read["counting"] = Counting(rules["counting"])
    if "expiry_days" in rules:
        read["expiry_days"] = tuple(rules["expiry_days"])
    if "streams" in rules:
        read["streams"] = {stream: frozenset(map(BlockCause, causes)) for stream, causes in rules["streams"].items()}
    return read
