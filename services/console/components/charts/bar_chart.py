"""Bars along time, with limits as lines: the one kind of chart that the console draws."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from services.console.components.charts.chart import Chart, ChartFile

QUIET = {"color": "--quiet"}
OVER = {"show": True, "position": "insideTop", "color": "--ink", "backgroundColor": "--surface", "padding": [1, 3],
        "borderRadius": 3}  # fmt: skip
"""How a bar that is cut off says how high it is."""
MOST_LABELS = 8


@dataclass(frozen=True, slots=True)
class Bar:
    """One place on the axis: what it is called below, what it is called in full, and its values, one a series."""

    label: str
    title: str
    values: Sequence[float]
    shown: str = ""
    """Its value as a text, for a bar that is cut off."""


@dataclass(frozen=True, slots=True)
class Series:
    """Bars of one colour (a name of the style sheet), one on the other."""

    title: str
    colour: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A line across."""

    at: float
    text: str
    colour: str


def bar_chart(
    bars: Sequence[Bar],
    series: Sequence[Series],
    *,
    told: str,
    file: ChartFile,
    on_picked: Callable[[int, int], None],
    limits: Sequence[Limit] = (),
    unit: str = "",
    top: float | None = None,
    step: float = 1.0,
) -> None:
    """Draw bars. `told` says in words what is seen, `file` is what is downloaded of it.

    `on_picked` gets the place of the bar and of the series.

    `top` is where the axis ends at the latest, so that limits can be told apart; higher bars are cut off, and say how
    high they are. It ends at a multiple of `step`.
    """
    highest = max([*(sum(bar.values) for bar in bars), *(limit.at * 1.2 for limit in limits)], default=0.0)
    end = math.inf if top is None else min(-(-highest // step) * step, top)
    axis: dict[str, Any] = {} if top is None else {"max": end, "interval": end / 4}
    options = {
        "grid": {"left": 8, "right": 44 if limits else 8, "top": 16, "bottom": 4, "containLabel": True},
        "tooltip": {"trigger": "item", "renderMode": "richText", "formatter": "{b}"},
        "xAxis": {"type": "category", "data": [bar.label for bar in bars], "axisTick": {"show": False},
                  "axisLine": {"lineStyle": {"color": "--line"}},
                  "axisLabel": QUIET | {"interval": max(0, len(bars) // MOST_LABELS - (len(bars) % MOST_LABELS == 0))}},
        "yAxis": {"type": "value", "min": 0, "splitLine": {"lineStyle": {"color": "--line"}}, "splitNumber": 4,
                  "axisLabel": dict(QUIET)} | axis,
        "series": _series(bars, series, limits, end), "unit": unit,
    }  # fmt: skip

    def picked(event: dict[str, Any]) -> None:
        on_picked(int(event["at"]), int(event["series"]))

    Chart(options, told, picked, file)


def _cut(bar: Bar, nth: int, end: float) -> dict[str, Any]:
    return {"label": OVER | {"formatter": bar.shown}} if bar.values[nth] > end else {}


def _series(bars: Sequence[Bar], series: Sequence[Series], limits: Sequence[Limit], end: float) -> list[dict[str, Any]]:
    lines = [
        {"yAxis": limit.at, "lineStyle": {"color": limit.colour}, "label": {"formatter": limit.text}}
        for limit in limits
    ]
    drawn = []
    for nth, one in enumerate(series):
        data = [{"value": min(bar.values[nth], end), "name": bar.title} | _cut(bar, nth, end) for bar in bars]
        drawn.append(
            {"type": "bar", "id": str(nth), "name": one.title, "data": data, "stack": "all", "barMaxWidth": 36,
             "itemStyle": {"color": one.colour}, "cursor": "pointer",
             "markLine": {"symbol": "none", "silent": True, "data": lines, "label": QUIET} if nth == 0 else {}}
        )  # fmt: skip
    return drawn
