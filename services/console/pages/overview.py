"""Overview: how mailings fared against what mailbox providers accept, why e-mails came back, what is blocked."""

import asyncio
from collections import Counter
from typing import Any
from urllib.parse import quote

from nicegui import ui

from services.console.api_client import Trouble
from services.console.pages.mailings import BAD_RATE, WARN_RATE, tone
from services.console.parts.chart import Chart
from services.console.parts.markup import Tag, empty, link, notice
from services.console.parts.shell import Pages, Visitor, heading
from services.console.texts import marked as _, reasons

MAILINGS = 24
TOP = 12
"""Per cent at which the axis ends, so that the limits can be told apart; higher bars are cut off."""
MOST_REASONS = 10
COMPLAINT_WARN, COMPLAINT_BAD = 0.001, 0.003
"""Gmail and Yahoo: keep complaints under 0.1%, never reach 0.3%."""
Rows = list[dict[str, Any]]


def add(pages: Pages) -> None:
    """Serve the page."""
    pages.add("/", _("Overview"), overview)


async def overview(visitor: Visitor) -> None:
    """Draw the page; what a service that is away would show is missing, the rest is there."""
    t, api = visitor.t, visitor.api
    heading(t("Overview"), t("How your mailings arrive. Click on what you see to come to the addresses behind it."))
    asked = (
        api.get("actions", "/v1/mailings", limit=MAILINGS),
        api.get("blocklist", "/v1/counts"),
        api.get("classifier", "/v1/verdicts/counts"),
        api.get("classifier", "/v1/retries/counts"),
    )
    found = await asyncio.gather(*asked, return_exceptions=True)
    told: set[str] = set()
    for answer in found:
        if isinstance(answer, Trouble) and str(answer) not in told:
            told.add(str(answer))
            notice("warn", *visitor.trouble(answer))
        elif isinstance(answer, BaseException) and not isinstance(answer, Trouble):
            raise answer
    mailings, blocks, verdicts, retries = (answer if isinstance(answer, list) else None for answer in found)
    with Tag("div", "cards"):
        _figures(visitor, mailings, blocks, retries)
        if mailings is not None:
            _rates(visitor, mailings)
        if verdicts is not None:
            _reasons(visitor, verdicts)
        if blocks is not None:
            _blocks(visitor, blocks)


def _counts(mailings: Rows) -> Counter[str]:
    summed: Counter[str] = Counter()
    for row in mailings:
        summed.update(row["counts"])
    return summed


def rates(counts: Counter[str]) -> tuple[int, float, float]:
    """Return how many were sent, the share that came back, and the share that complained."""
    sent = sum(counts.values()) - counts["ready"] - counts["blocked"]
    returned = counts["hard_bounced"] + counts["soft_bounced"]
    return sent, returned / max(sent, 1), counts["complained"] / max(sent, 1)


def _figures(visitor: Visitor, mailings: Rows | None, blocks: Rows | None, retries: Rows | None) -> None:
    texts, t = visitor.texts, visitor.t
    if mailings is not None:
        sent, returned, complained = rates(_counts(mailings))
        title = t("Return rate of {sent} sent", sent=texts.number(sent))
        _figure(texts.percent(returned), title, tone(returned), t("Healthy: under 2%. Providers act at 5%."), visitor)
        worse = "bad" if complained >= COMPLAINT_BAD else "warn" if complained >= COMPLAINT_WARN else "fine"
        limits = t("Keep it under 0.1%; never reach 0.3%.")
        _figure(texts.percent(complained, 2), t("Complaint rate"), worse, limits, visitor)
    if blocks is not None:
        all_ = sum(row["blocked"] for row in blocks)
        _figure(texts.number(all_), t("Blocked addresses"), None, t("Skipped in every mailing."), visitor)
    if retries is not None:
        healed = sum(row["count"] for row in retries if row["state"] == "healed")
        _figure(
            texts.number(healed),
            t("Healed by sending again"),
            None,
            t("Soft returns that arrived in the end."),
            visitor,
        )


def _figure(value: str, title: str, judged: str | None, more: str, visitor: Visitor) -> None:
    words = {"fine": visitor.t("Healthy"), "warn": visitor.t("Watch it"), "bad": visitor.t("Too high")}
    with Tag("section", "card quarter figure"):
        Tag("span", "quiet", title)
        Tag("b", text=value)
        if judged:
            Tag("span", f"badge {'good' if judged == 'fine' else judged}", words[judged])
        Tag("span", "quiet small", more)


def _rates(visitor: Visitor, mailings: Rows) -> None:
    t, texts = visitor.t, visitor.texts
    with Tag("section", "card two-thirds"):
        Tag("h2", text=t("Return rate by mailing"))
        shown = [row for row in reversed(mailings) if rates(Counter(row["counts"]))[0] > 1]
        if not shown:
            empty("chart", t("Nothing to show yet"), t("The rates of your mailings show up here."))
            return
        values = [round(rates(Counter(row["counts"]))[1] * 100, 2) for row in shown]
        lines = [
            {"yAxis": WARN_RATE * 100, "lineStyle": {"color": "--bar-soft"}, "label": {"formatter": "2 %"}},
            {"yAxis": BAD_RATE * 100, "lineStyle": {"color": "--bar-hard"}, "label": {"formatter": "5 %"}},
        ]
        options = {
            "grid": {"left": 44, "right": 44, "top": 16, "bottom": 28},
            "tooltip": {"trigger": "item", "renderMode": "richText"},
            "xAxis": {"type": "category", "data": [row["mailing"] for row in shown],
                      "axisLine": {"lineStyle": {"color": "--line"}},
                      "axisLabel": {"color": "--quiet", "overflow": "truncate", "width": 110}},
            "yAxis": {"type": "value", "min": 0, "axisLabel": {"formatter": "{value} %", "color": "--quiet"},
                      "max": min(TOP, max(6, *values) * 1.1 // 1 + 1), "splitLine": {"lineStyle": {"color": "--line"}}},
            "series": [{"type": "bar", "id": "rate", "data": values, "barMaxWidth": 42,
                        "itemStyle": {"color": "--bar-open", "borderRadius": [4, 4, 0, 0]},
                        "markLine": {"symbol": "none", "silent": True, "data": lines, "label": {"color": "--quiet"}}}],
        }  # fmt: skip
        told = ", ".join(f"{row['mailing']} {texts.number(value)} %" for row, value in zip(shown, values, strict=True))

        def picked(event: dict[str, Any]) -> None:
            ui.navigate.to(f"/mailings/{quote(str(event['name']), safe='')}?tab=bounces")

        Chart(options, told, picked)


def _reasons(visitor: Visitor, verdicts: Rows) -> None:
    texts, t = visitor.texts, visitor.t
    with Tag("section", "card third"):
        Tag("h2", text=t("Why e-mails came back"))
        counted: Counter[str] = Counter()
        for row in verdicts:
            if row["type"] in ("hard", "soft"):
                counted[row["reason"]] += row["count"]
        if not counted:
            empty("ok", t("Nothing was returned"), t("The reasons show up here."))
        _bars(
            visitor,
            [(reasons.title(texts, reason), count, None) for reason, count in counted.most_common(MOST_REASONS)],
        )


def _blocks(visitor: Visitor, blocks: Rows) -> None:
    texts, t = visitor.texts, visitor.t
    with Tag("section", "card"):
        Tag("h2", text=t("Why addresses are blocked"))
        if not blocks:
            empty("ok", t("No address is blocked"), t("Addresses that cannot be reached show up here by themselves."))
        lines: list[tuple[str, int, str | None]] = []
        for row in blocks[:MOST_REASONS]:
            cause, reason = reasons.word(texts, reasons.CAUSES, row["cause"]), reasons.title(texts, row["reason"])
            target = f"/blocked?f.cause={row['cause']}" + (f"&f.reason={row['reason']}" if row["reason"] else "")
            title = cause if not reason or reason == cause else f"{cause}: {reason}"
            lines.append((title, row["blocked"], target))
        _bars(visitor, lines)


def _bars(visitor: Visitor, lines: list[tuple[str, int, str | None]]) -> None:
    most = max((count for _title, count, _target in lines), default=1)
    with Tag("ul", "bars"):
        for title, count, target in lines:
            with Tag("li"):
                if target:
                    link(title, target)
                else:
                    Tag("span", text=title)
                Tag("b", text=visitor.texts.number(count))
                Tag("i", aria_hidden="true").style(f"width: {max(1, count * 100 // most)}%")
