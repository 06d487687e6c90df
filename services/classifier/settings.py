"""What the classifier is told."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import NoDecode

from services.classifier.durations import Durations, duration
from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the classifier, `RETURPOST_CLASSIFIER_...`."""

    http_port: int = 8102
    rules_dir: Path | None = None
    """Folder with rule files of one's own: they go before the packaged ones, and replace those of the same name. Those
    in its folders `tenants/<tenant>` are for that tenant alone, and go before all."""
    rules_interval: timedelta = timedelta(seconds=5)
    """How often it is looked whether rule files have changed."""
    retry_delays: Annotated[Durations, NoDecode] = tuple(map(duration, ("5m", "30m", "2h", "8h", "24h")))
    """Time from each soft bounce to the next attempt; as many retries as there are delays."""
    retry_delays_by_reason: dict[str, Durations] = Field(default_factory=dict)
    """The same for single reasons, as JSON: `{"greylisted": "5m,15m,1h"}`."""
    retry_jitter: float = Field(default=0.1, ge=0, le=0.5)
    """Share of a delay by which retries are spread, so that they do not all come back in one second."""
    retry_domain_limit: int = Field(default=1_000, ge=0)
    """Retry commands a minute for one tenant and receiving domain, so that no herd comes down on it; 0: no limit."""
    retry_answer: timedelta = timedelta(hours=12)
    """A retry command without a result after this time is reported as lost."""
    dispatch_interval: timedelta = timedelta(seconds=1)
    """How often due retries are looked for."""
    keep: timedelta = timedelta(days=30)
    """How long verdicts, ended retries and deliveries are kept. Longer than any bounce takes to come in."""
