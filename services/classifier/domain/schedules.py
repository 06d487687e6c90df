"""Each tenant's own schedule of retries; the service's settings are the default."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from returpost.contracts import Reason
from services.classifier.domain.durations import Durations
from services.classifier.domain.retry import RetryPolicy

MAX_ATTEMPTS = 50
"""Retries of one recipient: Postal's 18 is the most that any of the peers does."""


class RetrySchedule(BaseModel):
    """When soft bounces are tried again, and how fast."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    delays: Annotated[Durations, Field(max_length=MAX_ATTEMPTS)]
    """Time from each soft bounce to the next attempt; as many retries as there are delays, none for an empty list."""
    by_reason: dict[Reason, Annotated[Durations, Field(max_length=MAX_ATTEMPTS)]] = {}
    """The same for single reasons."""
    domain_limit: Annotated[int, Field(ge=0, le=1_000_000)]
    """Retry commands a minute for one receiving domain; 0: no limit."""


def default_schedule(policy: RetryPolicy) -> RetrySchedule:
    """Return the service's settings as a schedule."""
    by_reason = {Reason(reason): delays for reason, delays in policy.by_reason.items()}
    return RetrySchedule(delays=policy.delays, by_reason=by_reason, domain_limit=policy.domain_limit)
