"""Settings of the classifier."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import NoDecode

from services.classifier.domain.durations import Durations, parse_duration
from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the classifier, `RETURPOST_CLASSIFIER_...`."""

    http_port: int = 8102
    rules_dir: Path | None = None
    """Folder with your own rule files: they win over the packaged ones and replace those of the same name. Files in its
    folders `tenants/<tenant>` are for that tenant alone, and win over all."""
    rules_interval: timedelta = timedelta(seconds=5)
    """How often rule files are checked for changes."""
    retry_delays: Annotated[Durations, NoDecode] = tuple(map(parse_duration, ("5m", "30m", "2h", "8h", "24h")))
    """Time from each soft bounce to the next attempt; as many retries as there are delays."""
    retry_delays_by_reason: dict[str, Durations] = Field(default_factory=dict)
    """The same for single reasons, as JSON: `{"greylisted": "5m,15m,1h"}`."""
    retry_jitter: float = Field(default=0.1, ge=0, le=0.5)
    """Fraction of a delay by which retries are spread, so that they are not all due in the same second."""
    retry_domain_limit: int = Field(default=1_000, ge=0)
    """Retry commands a minute for one tenant and receiving domain; 0: no limit."""
    retry_result_timeout: timedelta = timedelta(hours=12)
    """A retry command without a result after this time is reported as lost."""
    dispatch_interval: timedelta = timedelta(seconds=1)
    """How often due retries are issued."""
    keep: timedelta = timedelta(days=30)
    """How long verdicts, ended retries and deliveries are kept. Longer than any bounce takes to arrive."""
