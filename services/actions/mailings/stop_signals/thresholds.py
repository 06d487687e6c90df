"""A tenant's thresholds as they are set: what may be set, and what a change is called."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from returpost.contracts.enums import BreachKind, BreachLevel
from services.actions.mailings.stop_signals.domain import DEFAULT, Levels, Thresholds

Share = Annotated[float, Field(gt=0, le=1)]


class LevelSettings(BaseModel):
    """From which shares on a mailing is breached; null: never."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    warning: Share | None = None
    pause: Share | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "LevelSettings":
        if self.warning is not None and self.pause is not None and self.warning > self.pause:
            raise ValueError("warning: must not be above pause")
        return self


class StopSignals(BaseModel):
    """When mailings are paused: shares of the recipients sent to, or for complaints of those who were reached."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "hard_bounces": {"warning": 0.05, "pause": 0.1},
                    "complaints": {"warning": 0.001, "pause": 0.003},
                    "sender_faults": {"warning": 0.1, "pause": None},
                    "least_results": 1000,
                    "window_hours": 72,
                }
            ]
        },
    )

    hard_bounces: LevelSettings
    complaints: LevelSettings
    sender_faults: LevelSettings
    least_results: Annotated[int, Field(ge=1, le=100_000_000)]
    """Recipients sent to, out of fewer of which nothing follows."""
    window_hours: Annotated[int, Field(ge=1, le=720)]
    """What happened longer ago does not count."""

    def thresholds(self) -> Thresholds:
        """Return them as the domain takes them."""
        given = (self.hard_bounces, self.complaints, self.sender_faults)
        hard, complaints, faults = (Levels(one.warning, one.pause) for one in given)
        return Thresholds(hard, complaints, faults, self.least_results, timedelta(hours=self.window_hours))


def settings_of(thresholds: Thresholds) -> StopSignals:
    """Return thresholds as they are set."""
    levels = {
        kind.value: LevelSettings.model_validate(thresholds.of(kind), from_attributes=True) for kind in BreachKind
    }
    hours = thresholds.window // timedelta(hours=1)
    return StopSignals(**levels, least_results=thresholds.least_results, window_hours=hours)


DEFAULT_SETTINGS = settings_of(DEFAULT)


def differences(before: StopSignals, after: StopSignals) -> Iterator[tuple[str, str, str]]:
    """Yield the name, the old and the new value as text of each setting that differs."""
    old, new = _named(before), _named(after)
    for name in new:
        if old[name] != new[name]:
            yield name, old[name], new[name]


def _named(settings: StopSignals) -> dict[str, str]:
    shares = {
        f"stop_signals.{kind}.{level}": getattr(getattr(settings, kind), level)
        for kind in BreachKind
        for level in BreachLevel
    }
    numbers = {f"stop_signals.{name}": getattr(settings, name) for name in ("least_results", "window_hours")}
    return {name: "off" if value is None else f"{value:.12g}" for name, value in (shares | numbers).items()}
