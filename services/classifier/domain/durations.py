"""Durations as people write them: `30m`, `2h`."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MAX_DURATION = timedelta(days=30)
"""A retry after more than a month finds another mailing."""


def parse_duration(text: str) -> timedelta:
    """Read `30m`. Raises `ValueError` that says how durations are written."""
    number, unit = text[:-1], text[-1:]
    try:
        length = timedelta(seconds=float(number) * _SECONDS[unit])
    except (KeyError, ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a duration; write a number and s, m, h or d, such as 30m") from None
    if not timedelta() <= length <= MAX_DURATION:
        raise ValueError(f"{text!r} is not between 0s and {MAX_DURATION.days}d")
    return length


def format_duration(length: timedelta) -> str:
    """Write a duration in the largest unit that divides it."""
    seconds = length.total_seconds()
    unit = next((unit for unit in ("d", "h", "m") if seconds and not seconds % _SECONDS[unit]), "s")
    return f"{seconds / _SECONDS[unit]:.12g}{unit}"


def _parse(value: Any) -> Any:
    """Read `5m,30m,2h`, or a list of such."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return value
    return tuple(parse_duration(part.strip()) if isinstance(part, str) else part for part in parts if part != "")


def _format(lengths: Iterable[timedelta]) -> list[str]:
    return [format_duration(length) for length in lengths]


Durations = Annotated[
    tuple[timedelta, ...], BeforeValidator(_parse), PlainSerializer(_format, list[str], when_used="json")
]
"""Several durations, by commas or as a list."""
