"""A tenant's rules: what a reason does, how bounces are counted, how long blocks last, which streams are exempt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from returpost.contracts.enums import DEAD_REASONS, BlockCause, Fault, Reason, VerdictType
from returpost.contracts.messages.bounce import DEAD_FROM_CONFIDENCE

ACCEPTED_BOUNCES = 5
"""Default of *Number of accepted bounces before email address is disabled*: the sixth blocks."""


class Effect(StrEnum):
    """What a bounce with some reason does."""

    BLOCK = "block"
    COUNT = "count"
    IGNORE = "ignore"


class Counting(StrEnum):
    """Which bounces since the last clear are counted."""

    CONSECUTIVE = "consecutive"
    """Those after the last delivery."""
    ALL = "all"


DEAD = DEAD_REASONS
"""These block at once by default."""
RECIPIENT = frozenset({Reason.ACCOUNT_DISABLED, Reason.RECIPIENT_REFUSED, Reason.MAILBOX_FULL})
"""The recipient's, but it may pass: these count by default, and a tenant may have them block."""
NO_BOUNCE = frozenset({Reason.UNSUBSCRIBE, Reason.AUTO_REPLY, Reason.CHALLENGE, Reason.DELAYED, Reason.DELIVERED})
"""Never counted and never blocking, whatever anybody sets."""
GROWING = (1, 2, 4, 7, 14)
"""Days of the first, second, ... block of an address where blocks grow."""


def _default(reason: Reason) -> Effect:
    if reason in DEAD or reason is Reason.COMPLAINT:
        return Effect.BLOCK
    return Effect.IGNORE if reason is Reason.SUPPRESSED or reason in NO_BOUNCE else Effect.COUNT


DEFAULT_EFFECTS: Mapping[Reason, Effect] = MappingProxyType({reason: _default(reason) for reason in Reason})
NOBODY: Mapping[str, frozenset[BlockCause]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Policy:
    """A tenant's rules: an address is blocked when its return count is above `accepted_bounces`."""

    accepted_bounces: int = ACCEPTED_BOUNCES
    effects: Mapping[Reason, Effect] = field(default_factory=lambda: DEFAULT_EFFECTS)
    counting: Counting = Counting.CONSECUTIVE
    decay_days: int | None = None
    """A bounce that is so old no longer counts."""
    expiry_days: tuple[int, ...] = ()
    """How long the first, second, ... block for bounces lasts; the last one repeats. None: until it is lifted."""
    once_a_day: bool = False
    """An address counts once a day (UTC), whatever comes back."""
    streams: Mapping[str, frozenset[BlockCause]] = field(default_factory=lambda: NOBODY)
    """By stream, the causes that it is exempt from unless its own mails gave cause."""
    skip_erased: bool = False
    """Whether checks skip who was erased, as far as a hash is kept, until the bounce-flag is cleared."""
    erase_after_days: int = 0
    """After how long a requested erasure is due; until then it can be undone. 0: it is done at once."""
    dead_confidence: float = DEAD_FROM_CONFIDENCE
    """The confidence from which on a verdict of a dead address blocks at once; below it the bounce only counts."""


def choices(reason: Reason) -> tuple[Effect, ...]:
    """Return what a tenant may choose for a reason.

    A fault of the sender or of the network is never held against an address at once; a complaint is no bounce and
    never counted; what is no bounce at all has no choice.
    """
    if reason is Reason.COMPLAINT:
        return Effect.BLOCK, Effect.IGNORE
    if reason in NO_BOUNCE:
        return (Effect.IGNORE,)
    if reason in DEAD or reason in RECIPIENT:
        return Effect.BLOCK, Effect.COUNT, Effect.IGNORE
    return Effect.COUNT, Effect.IGNORE


def may_block(type_: VerdictType, reason: Reason, fault: Fault, *, dead_address: bool) -> bool:
    """Say whether a bounce is strong enough to block at once where the policy of its reason is to block.

    It must have failed for good by itself, not by used-up attempts, and by the recipient's fault; and where its
    reason says that the address is dead, the verdict must say so too.
    """
    if type_ is not VerdictType.HARD or fault is not Fault.RECIPIENT:
        return False
    return dead_address or reason not in DEAD
