"""What changes over time: the rates of the mailings against the limits, and blocks a day."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from nicegui import ui

from services.console.components.charts.bar_chart import Bar, Limit, Series, bar_chart
from services.console.components.charts.chart import ChartFile
from services.console.components.markup import Tag, empty
from services.console.components.shell import Visitor

TOP_RETURNS, TOP_COMPLAINTS = 16.0, 0.8
"""Per cent at which the axes end, so that the limits can be told apart; higher bars are cut off and say it."""
Rows = Sequence[dict[str, Any]]


def rates(visitor: Visitor, mailings: Rows) -> None:
    """Draw the return rate and the complaint rate of each mailing, in the order in which they were sent."""
    t = visitor.t
    returns = [(row["hard"] + row["soft"]) / max(row["sent"], 1) for row in mailings]
    complaints = [row["complaint_rate"] or 0.0 for row in mailings]
    limits = (
        Limit(2, visitor.texts.percent(0.02, 0), "--bar-soft"),
        Limit(5, visitor.texts.percent(0.05, 0), "--bar-hard"),
    )
    with Tag("section", "card half"):
        Tag("h2", text=t("Bounce rate by mailing"))
        _rate(visitor, t("Bounce rate by mailing"), mailings, returns, limits, TOP_RETURNS, "?tab=bounces", 1)
    limits = (
        Limit(0.1, visitor.texts.percent(0.001), "--bar-soft"),
        Limit(0.3, visitor.texts.percent(0.003), "--bar-hard"),
    )
    with Tag("section", "card half"):
        Tag("h2", text=t("Complaint rate by mailing"))
        title = t("Complaint rate by mailing")
        _rate(visitor, title, mailings, complaints, limits, TOP_COMPLAINTS, "?f.show=complained", 2)


def _rate(
    visitor: Visitor,
    heading: str,
    mailings: Rows,
    shares: list[float],
    limits: Sequence[Limit],
    top: float,
    tab: str,
    digits: int,
) -> None:
    t, texts = visitor.t, visitor.texts
    if not mailings:
        empty("chart", t("Nothing to show yet"), t("The rates of your mailings show up here."))
        return
    names = [row["name"] or row["mailing"] for row in mailings]
    titles = [f"{name}: {texts.percent(share, digits)}" for name, share in zip(names, shares, strict=True)]
    made = [
        Bar(texts.short_day(row["at"]), title, (round(share * 100, 3),), texts.percent(share, 0))
        for row, title, share in zip(mailings, titles, shares, strict=True)
    ]

    def picked(at: int, _series: int) -> None:
        ui.navigate.to(f"/mailings/{quote(mailings[at]['mailing'], safe='')}{tab}")

    told, colour = ", ".join(titles), (Series("", "--bar-open"),)
    lines = [
        (name, texts.date(row["at"]), row["sent"], round(share * 100, 3))
        for name, row, share in zip(names, mailings, shares, strict=True)
    ]
    headings = (t("Mailing"), t("Time sent"), t("Sent"), f"{heading} (%)")
    bar_chart(
        made,
        colour,
        told=told,
        file=ChartFile.of(texts, heading, headings, lines),
        on_picked=picked,
        limits=limits,
        unit=" %" if texts.language == "nb" else "%",
        top=top,
        step=top / 4,
    )


def blocks(visitor: Visitor, rows: Rows, first: date) -> None:
    """Draw how many addresses were blocked, and freed, each day."""
    t, texts = visitor.t, visitor.texts
    with Tag("section", "card half"):
        Tag("h2", text=t("Blocked and unblocked each day"))
        if not rows:
            empty("ok", t("Nothing was blocked"), t("Blocks and their lifting show up here, day by day."))
            return
        known = {row["day"]: row for row in rows}
        span = (datetime.now(UTC).date() - first).days + 1
        days = [(first + timedelta(days=n)).isoformat() for n in range(span)]
        series = (Series(t("Blocked"), "--bar-hard"), Series(t("Unblocked"), "--bar-good"))
        made, told = [], []
        for day in days:
            row = known.get(day, {"blocked": 0, "lifted": 0})
            blocked, freed = texts.number(row["blocked"]), texts.number(row["lifted"])
            words = t("{blocked} blocked, {freed} unblocked", blocked=blocked, freed=freed)
            title = f"{texts.day(day)}: {words}"
            made.append(Bar(texts.short_day(day), title, (row["blocked"], row["lifted"])))
            if day in known:
                told.append(title)

        def picked(at: int, _series: int) -> None:
            ui.navigate.to(f"/blocked?f.day={days[at]}")

        _legend(series)
        headings = (t("Day"), t("Blocked"), t("Unblocked"))
        lines: list[Sequence[str | float]] = [(day, *bar.values) for day, bar in zip(days, made, strict=True)]
        file = ChartFile.of(texts, t("Blocked and unblocked each day"), headings, lines)
        bar_chart(made, series, told="; ".join(told), file=file, on_picked=picked)


def _legend(series: Sequence[Series]) -> None:
    with Tag("ul", "legend"):
        for one in series:
            with Tag("li"):
                Tag("i").style(f"background: var({one.colour})")
                Tag("span", text=one.title)
