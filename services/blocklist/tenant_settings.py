"""A tenant changes its policy: the change takes hold at once for what comes in, and soon for all that is there."""

from dataclasses import dataclass
from datetime import datetime

from services.blocklist import policies, store
from services.blocklist.policies import Q
from services.blocklist.policy import Effect, Policy, choices
from services.blocklist.reassess import SOURCE, Trigger, reassess
from shared import ids
from shared.cloudevents import Event, event
from shared.contracts import SettingsChanged
from shared.errors import InvalidMessage
from shared.outbox import Effects, Work
from shared.vocabulary import Reason, UnblockCause


@dataclass(frozen=True, slots=True)
class Change:
    """What to set; what is left out stays as it is."""

    accepted_bounces: int | None
    effects: dict[Reason, Effect]


def changed(policy: Policy, change: Change) -> Policy:
    """Return the policy after the change. Raises `InvalidMessage` for an effect that a reason cannot have."""
    for reason, effect in change.effects.items():
        if effect not in choices(reason):
            raise InvalidMessage(f"reasons.{reason}: {effect} is not possible; choose {' or '.join(choices(reason))}")
    accepted = policy.accepted_bounces if change.accepted_bounces is None else change.accepted_bounces
    return Policy(accepted, {**policy.effects, **change.effects})


async def save(work: Work, tenant: str, change: Change, by: str, now: datetime) -> None:
    """Save a change, tell it, and have all addresses of the tenant looked at again. Raises `InvalidMessage`."""
    # First the reassessment: who applies one holds it while it waits for the settings.
    if not await _differs(work, tenant, change):
        return
    connection = work.connection
    await connection.execute(Q["start_reassessment"], tenant, "", by, now)
    await connection.execute(Q["lock_settings"], tenant)
    row = await connection.fetchrow(Q["settings"], [tenant])
    before = policies.policy_of(row)
    after = changed(before, change)
    version = (row["version"] if row else 0) + 1
    await connection.execute(
        Q["save_settings"], tenant, version, after.accepted_bounces, policies.effects_text(after), now, by
    )
    cause = ids.of_input(tenant, f"{SOURCE}/settings", str(version))
    await connection.execute(Q["start_reassessment"], tenant, cause, by, now)
    for news in _news(before, after, cause, tenant, by, now):
        work.emit(news)


async def _differs(work: Work, tenant: str, change: Change) -> bool:
    before = policies.policy_of(await work.connection.fetchrow(Q["settings"], [tenant]))
    return changed(before, change) != before


def _news(
    before: Policy, after: Policy, cause: str, tenant: str, by: str, now: datetime
) -> list[Event[SettingsChanged]]:
    pairs = [("accepted_bounces", str(before.accepted_bounces), str(after.accepted_bounces))]
    pairs += [(f"reasons.{reason}", before.effects[reason].value, after.effects[reason].value) for reason in Reason]
    return [
        event(
            SettingsChanged(name=name, old=old, new=new, time=now, by=by),
            id=ids.derived(cause, SettingsChanged.TYPE, n),
            source=SOURCE,
            tenant=tenant,
        )
        for n, (name, old, new) in enumerate(pairs)
        if old != new
    ]


async def apply_next(effects: Effects, chunk: int, now: datetime) -> bool:
    """Look at the next addresses of a tenant whose settings changed; return whether there was anything to do."""
    async with effects.begin() as work:
        connection = work.connection
        row = await connection.fetchrow(Q["take_reassessment"])
        if row is None:
            return False
        tenant = row["tenant"]
        found = [r["address"] for r in await connection.fetch(Q["next_with_history"], tenant, row["after"], chunk)]
        if found:
            keys = [(tenant, address) for address in dict.fromkeys(found)]
            await store.touch(connection, dict.fromkeys(keys))
            trigger = Trigger(row["cause"], row["started_at"], row["by"])
            await reassess(work, dict.fromkeys(keys, trigger), UnblockCause.SETTINGS, now)
            await connection.execute(Q["advance_reassessment"], tenant, found[-1], len(keys))
        if len(found) < chunk:
            await connection.execute(Q["finish_reassessment"], tenant)
    return True
