"""A tenant changes its policy: the change takes hold at once for what comes in, and soon for all that is there."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from returpost.contracts import Name, SettingsChanged, ids
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.enums import BlockCause, Reason
from returpost.errors import InvalidMessage, ReturpostError
from services.blocklist.address_state.reevaluate import SOURCE
from services.blocklist.jobs import repository
from services.blocklist.jobs.repository import Kind
from services.blocklist.tenant_settings import repository as policy_repository
from services.blocklist.tenant_settings.domain import Counting, Effect, Policy, choices
from services.blocklist.tenant_settings.repository import Q
from shared.messaging.unit_of_work import UnitOfWork

MAX_ACCEPTED = 1_000_000
Days = Annotated[int, Field(ge=1, le=3_650)]


class ChangedMeanwhile(ReturpostError):
    """The settings are not of the version any more that was to be changed."""


class Change(BaseModel, extra="forbid"):
    """What to set; what is left out stays as it is."""

    accepted_bounces: Annotated[int, Field(ge=0, le=MAX_ACCEPTED)] | None = None
    reasons: dict[Reason, Effect] = Field(default_factory=dict)
    counting: Counting | None = None
    decay_days: Days | None = None
    """Nothing: bounces count however old they are."""
    expiry_days: Annotated[list[Days], Field(max_length=20)] | None = None
    """Nothing, or an empty list: blocks stay until they are lifted."""
    once_a_day: bool | None = None
    streams: Annotated[dict[Name, list[BlockCause]], Field(max_length=20)] = Field(default_factory=dict)
    """By stream the causes that it is spared from; with an empty list the stream is no longer known."""
    skip_erased: bool | None = None
    """Checks skip who was erased until the bounce-flag is cleared; blocks do not change by it."""
    erase_after_days: Annotated[int, Field(ge=0, le=30)] | None = None
    """How long an erasure that is asked for waits, and can be undone; those that wait already keep their time."""


def changed(policy: Policy, change: Change) -> Policy:
    """Return the policy after the change. Raises `InvalidMessage` for an effect that a reason cannot have."""
    for reason, effect in change.reasons.items():
        if effect not in choices(reason):
            raise InvalidMessage(f"reasons.{reason}: {effect} is not possible; choose {' or '.join(choices(reason))}")
    given = {**policy.streams, **{stream: frozenset(causes) for stream, causes in change.streams.items()}}
    after = replace(
        policy,
        effects={**policy.effects, **change.reasons},
        streams={stream: causes for stream, causes in given.items() if causes},
        accepted_bounces=policy.accepted_bounces if change.accepted_bounces is None else change.accepted_bounces,
        counting=change.counting or policy.counting,
        once_a_day=policy.once_a_day if change.once_a_day is None else change.once_a_day,
        skip_erased=policy.skip_erased if change.skip_erased is None else change.skip_erased,
        erase_after_days=policy.erase_after_days if change.erase_after_days is None else change.erase_after_days,
    )
    if "decay_days" in change.model_fields_set:
        after = replace(after, decay_days=change.decay_days)
    if "expiry_days" in change.model_fields_set:
        after = replace(after, expiry_days=tuple(change.expiry_days or ()))
    return after


async def save(
    work: UnitOfWork, tenant: str, change: Change, by: str, now: datetime, *, note: str = "", version: int | None = None
) -> None:
    """Save a change, tell it, and have all addresses of the tenant looked at again.

    Raises `InvalidMessage`; and `ChangedMeanwhile` when `version` is given and is not the one that is in force.
    """
    interrupted = await _begin(work, tenant, now)
    before, last = await current(work, tenant)
    if version not in (None, last):
        raise ChangedMeanwhile(f"the settings have version {last} by now, not {version}; look again")
    await _write(work, tenant, before, changed(before, change), last + 1, (by, note), now, interrupted)


async def restore(work: UnitOfWork, tenant: str, version: int | None, by: str, now: datetime) -> None:
    """Put the settings of an earlier version in force again (none named: of the one before), as a new version.

    Raises `InvalidMessage` when there is no such version.
    """
    interrupted = await _begin(work, tenant, now)
    before, last = await current(work, tenant)
    wanted = last - 1 if version is None else version
    row = await work.connection.fetchrow(Q["version"], tenant, wanted)
    if row is None and (wanted != 0 or last == 0):
        raise InvalidMessage(f"version: there is no version {wanted} of these settings")
    note = f"as in version {wanted}"
    await _write(work, tenant, before, policy_repository.policy_of(row), last + 1, (by, note), now, interrupted)


async def current(work: UnitOfWork, tenant: str) -> tuple[Policy, int]:
    """Return the policy of a tenant and its version; 0 stands for the defaults."""
    row = await work.connection.fetchrow(Q["settings"], [tenant])
    return policy_repository.policy_of(row), row["version"] if row else 0


async def _begin(work: UnitOfWork, tenant: str, now: datetime) -> bool:
    """Be the only one that changes these settings; return whether the last change had not been applied everywhere."""
    # First the operations: who works on one holds it while it waits for the settings.
    interrupted = await repository.supersede(work.connection, tenant, Kind.SETTINGS, now)
    await work.connection.execute(Q["lock_settings"], tenant)
    return interrupted


async def _write(
    work: UnitOfWork,
    tenant: str,
    before: Policy,
    after: Policy,
    version: int,
    said: tuple[str, str],
    now: datetime,
    interrupted: bool,
) -> None:
    if after == before and not interrupted:
        return
    by, note = said
    cause = ids.of_input(tenant, f"{SOURCE}/settings", str(version))
    if after == before:
        version -= 1
        cause = ids.of_content("settings again", tenant, version, now)
    else:
        row = (tenant, version, *policy_repository.columns_of(after), now, by, note)
        await work.connection.execute(Q["save_settings"], *row)
        for news in _news(before, after, cause, tenant, by, now):
            work.emit(news)
    await repository.request(work.connection, cause, tenant, Kind.SETTINGS, {"version": version}, by, note, now)


def _news(
    before: Policy, after: Policy, cause: str, tenant: str, by: str, now: datetime
) -> Iterator[Event[SettingsChanged]]:
    old, new = named(before), named(after)
    for n, name in enumerate(sorted(old.keys() | new.keys())):
        if old.get(name) != new.get(name):
            yield event(
                SettingsChanged(name=name, old=old.get(name), new=new.get(name, ""), time=now, by=by),
                id=ids.derived(cause, SettingsChanged.TYPE, n),
                source=SOURCE,
                tenant=tenant,
            )


def named(policy: Policy) -> dict[str, str]:
    """Return every setting by its name, as text."""
    rules = policy_repository.rules_of(policy)
    streams = rules.pop("streams")
    return {
        "accepted_bounces": str(policy.accepted_bounces),
        **{f"reasons.{reason}": effect.value for reason, effect in policy.effects.items()},
        **{name: _text(value) for name, value in rules.items()},
        **{f"streams.{stream}": ",".join(causes) for stream, causes in streams.items()},
    }


def _text(value: Any) -> str:
    if value is None or value == [] or value is False:
        return "off"
    return "on" if value is True else ",".join(map(str, value)) if isinstance(value, list) else str(value)
