"""What a change of a tenant's settings makes of its policy, and how settings are named."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, Field

from returpost.contracts import Name
from returpost.contracts.enums import BlockCause, Reason
from returpost.errors import InvalidMessage
from services.blocklist.tenant_settings.domain import Counting, Effect, Policy, choices

MAX_ACCEPTED = 1_000_000
Days = Annotated[int, Field(ge=1, le=3_650)]


class SettingsChange(BaseModel, extra="forbid"):
    """What to set; what is left out stays as it is."""

    accepted_bounces: Annotated[int, Field(ge=0, le=MAX_ACCEPTED)] | None = None
    reasons: dict[Reason, Effect] = Field(default_factory=dict)
    counting: Counting | None = None
    decay_days: Days | None = None
    """None: bounces count however old they are."""
    expiry_days: Annotated[list[Days], Field(max_length=20)] | None = None
    """None, or an empty list: blocks stay until they are lifted."""
    once_a_day: bool | None = None
    streams: Annotated[dict[Name, list[BlockCause]], Field(max_length=20)] = Field(default_factory=dict)
    """By stream the causes that it is exempt from; with an empty list the stream is no longer known."""
    skip_erased: bool | None = None
    """Checks skip who was erased until the bounce-flag is cleared; blocks do not change by it."""
    erase_after_days: Annotated[int, Field(ge=0, le=30)] | None = None
    """After how long a requested erasure is due; those that are scheduled already keep their time."""
    dead_confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    """From which confidence on a verdict of a dead address blocks at once; below it the bounce only counts."""


def apply_change(policy: Policy, change: SettingsChange) -> Policy:
    """Return the policy after the change. Raises `InvalidMessage` for an effect that a reason cannot have."""
    for reason, effect in change.reasons.items():
        if effect not in choices(reason):
            raise InvalidMessage(f"reasons.{reason}: {effect} is not possible; choose {' or '.join(choices(reason))}")
    if any(BlockCause.DOMAIN in causes for causes in change.streams.values()):
        raise InvalidMessage("streams: a block of a whole domain holds for all streams; lift it, or block addresses")
    streams = {**policy.streams, **{stream: frozenset(causes) for stream, causes in change.streams.items()}}
    after = replace(
        policy,
        effects={**policy.effects, **change.reasons},
        streams={stream: causes for stream, causes in streams.items() if causes},
        accepted_bounces=policy.accepted_bounces if change.accepted_bounces is None else change.accepted_bounces,
        counting=change.counting or policy.counting,
        once_a_day=policy.once_a_day if change.once_a_day is None else change.once_a_day,
        skip_erased=policy.skip_erased if change.skip_erased is None else change.skip_erased,
        erase_after_days=policy.erase_after_days if change.erase_after_days is None else change.erase_after_days,
        dead_confidence=policy.dead_confidence if change.dead_confidence is None else change.dead_confidence,
    )
    if "decay_days" in change.model_fields_set:
        after = replace(after, decay_days=change.decay_days)
    if "expiry_days" in change.model_fields_set:
        after = replace(after, expiry_days=tuple(change.expiry_days or ()))
    return after


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
        "dead_confidence": policy.dead_confidence,
    }


def differences(before: Policy, after: Policy) -> Iterator[tuple[int, str, str | None, str | None]]:
    """Yield a number, the name, and the old and new value as text of each setting that differs."""
    old, new = _named(before), _named(after)
    for n, name in enumerate(sorted(old.keys() | new.keys())):
        if old.get(name) != new.get(name):
            yield n, name, old.get(name), new.get(name)


def _named(policy: Policy) -> dict[str, str]:
    """Return every setting by its name, as text."""
    rules = rules_of(policy)
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
