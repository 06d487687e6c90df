"""Overview: how mailings fared against what mailbox providers accept, why e-mails came back, what is blocked."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.console.api_client import Trouble
from services.console.components.markup import Tag, empty, link, notice
from services.console.components.shell import Pages, Visitor, heading
from services.console.i18n import gettext_noop as _, reasons
from services.console.pages.mailings import tone
from services.console.pages.overview import storms, trends

PERIODS = {7: _("7 days"), 30: _("30 days"), 90: _("90 days"), 365: _("A year")}
USUAL = 90
MAILINGS = 60
MOST_LINES = 8
COMPLAINT_WARN, COMPLAINT_BAD = 0.001, 0.003
"""Gmail and Yahoo: keep complaints under 0.1%, never reach 0.3%."""
Rows = list[dict[str, Any]]


def add(pages: Pages) -> None:
    """Serve the page."""
    pages.add("/", _("Overview"), overview)


async def overview(visitor: Visitor) -> None:
    """Draw the page; what a service that is away would show is missing, the rest is there."""
    t, api = visitor.t, visitor.api
    asked = visitor.query.get("days", "")
    days = int(asked) if asked.isdecimal() and int(asked) in PERIODS else USUAL
    head = heading(t("Overview"), t("How your mailings are delivered. Click a figure to see the addresses behind it."))
    with head:
        _periods(visitor, days)
    first = (datetime.now(UTC) - timedelta(days=days - 1)).date()
    answers = await asyncio.gather(
        api.get("actions", "/v1/statistics", first=first.isoformat()),
        api.get("actions", "/v1/statistics/mailings", limit=MAILINGS),
        api.get("blocklist", "/v1/counts"),
        api.get("classifier", "/v1/retries/counts"),
        storms.current(visitor),
        return_exceptions=True,
    )
    told, sent, blocks, retries, stormy = _there(visitor, answers)
    if stormy is not None:
        storms.show(visitor, stormy)
    with Tag("div", "cards"):
        _figures(visitor, told, blocks and blocks["items"])
        if sent is not None:
            shown = [row for row in reversed(sent["items"]) if row["sent"] > 0 and row["at"] >= first.isoformat()]
            trends.rates(visitor, shown)
        if told is not None:
            _reasons(visitor, told["reasons"], first)
            _domains(visitor, told["domains"], first)
            trends.blocks(visitor, told["blocks"], first)
        if retries is not None:
            _retries(visitor, retries["items"])
        if blocks is not None:
            _blocks(visitor, blocks["items"])


def _there(visitor: Visitor, answers: Sequence[Any]) -> list[Any]:
    """Return the answers that are there; say of each service that is away, once, that it is."""
    said: set[str] = set()
    for answer in answers:
        if isinstance(answer, Trouble) and str(answer) not in said:
            said.add(str(answer))
            notice("warn", *visitor.trouble(answer))
        elif isinstance(answer, BaseException) and not isinstance(answer, Trouble):
            raise answer
    return [None if isinstance(answer, Trouble) else answer for answer in answers]


def _periods(visitor: Visitor, chosen: int) -> None:
    with Tag("nav", "filters", aria_label=visitor.t("Period")):
        for days, title in PERIODS.items():
            target = "/" if days == USUAL else f"/?days={days}"
            link(visitor.t(title), target, "choice", aria_current="page" if days == chosen else None)


def _figures(visitor: Visitor, told: Mapping[str, Any] | None, blocks: Rows | None) -> None:
    texts, t = visitor.texts, visitor.t
    if told is not None:
        all_ = told["totals"]
        returned = (all_["hard"] + all_["soft"]) / max(all_["sent"], 1)
        complained = all_["complaint_rate"] or 0.0
        title = t("Bounce rate of {sent} sent", sent=texts.number(all_["sent"]))
        judged = tone(returned) if all_["sent"] else None  # of nothing there is nothing to say
        _figure(visitor, texts.percent(returned), title, judged, t("Healthy: under 2%. Providers act at 5%."))
        worse = "bad" if complained >= COMPLAINT_BAD else "warn" if complained >= COMPLAINT_WARN else "fine"
        limits = t("Keep it under 0.1%; never reach 0.3%.")
        _figure(visitor, texts.percent(complained, 2), t("Complaint rate"), worse if all_["sent"] else None, limits)
        _figure(
            visitor,
            texts.number(all_["recovered"]),
            t("Delivered in the end"),
            None,
            t("Bounced at first, and were sent again."),
        )
    if blocks is not None:
        count = sum(row["blocked"] for row in blocks)
        _figure(visitor, texts.number(count), t("Blocked addresses"), None, t("Skipped in every mailing."))


def _figure(visitor: Visitor, value: str, title: str, judged: str | None, more: str) -> None:
    words = {"fine": visitor.t("Healthy"), "warn": visitor.t("Elevated"), "bad": visitor.t("Too high")}
    with Tag("section", "card quarter figure"):
        Tag("span", "quiet", title)
        Tag("b", text=value)
        if judged:
            Tag("span", f"badge {'good' if judged == 'fine' else judged}", words[judged])
        Tag("span", "quiet small", more)


def _reasons(visitor: Visitor, rows: Rows, first: date) -> None:
    t = visitor.t
    with Tag("section", "card half"):
        Tag("h2", text=t("Why e-mails bounced"))
        counted = [(row["reason"], row["hard"] + row["soft"]) for row in rows if row["hard"] + row["soft"]]
        if not counted:
            empty("ok", t("No bounces"), t("The reasons show up here."))
        lines = [
            (reasons.title(visitor.texts, reason), count, f"/blocked?tab=returned&f.reason={reason}&f.first={first}")
            for reason, count in counted[:MOST_LINES]
        ]
        bars(visitor, lines)


def _domains(visitor: Visitor, rows: Rows, first: date) -> None:
    """The receiving domains that sent most back, each with the share that did not arrive."""
    t, texts = visitor.t, visitor.texts
    with Tag("section", "card half"):
        Tag("h2", text=t("Receiving domains with most bounces"))
        found = [row for row in rows if row["domain"] and row["hard"] + row["soft"]][:MOST_LINES]
        if not found:
            empty("ok", t("No bounces"), t("The domains show up here."))
            return
        with Tag("table", "plain-table"):
            with Tag("thead"), Tag("tr"):
                for title, classes in (
                    (t("Domain"), ""),
                    (t("Sent"), "number"),
                    (t("Bounced"), "number"),
                    (t("Share"), "number"),
                ):
                    Tag("th", classes, title, scope="col")
            with Tag("tbody"):
                for row in found:
                    returned = row["hard"] + row["soft"]
                    share = returned / max(row["sent"], 1)
                    with Tag("tr"):
                        with Tag("td"):
                            link(row["domain"], f"/blocked?tab=returned&f.domain={row['domain']}&f.first={first}")
                        Tag("td", "number", texts.number(row["sent"]))
                        Tag("td", "number", texts.number(returned))
                        with Tag("td", "number"):
                            Tag("span", f"rate {tone(share)}", texts.percent(share))


def _retries(visitor: Visitor, rows: Rows) -> None:
    """Soft returns that are sent again, by what became of them."""
    t = visitor.t
    with Tag("section", "card half"):
        Tag("h2", text=t("Soft bounces that are retried"))
        counted = dict.fromkeys(reasons.RETRIES, 0)
        for row in rows:
            counted[row["state"]] = counted.get(row["state"], 0) + row["count"]
        lines = [
            (reasons.word(visitor.texts, reasons.RETRIES, state), count, None)
            for state, count in counted.items()
            if count
        ]
        if not lines:
            empty(
                "undo",
                t("No soft bounces yet"),
                t("Temporary failures are retried automatically; you follow it here."),
            )
        bars(visitor, lines)


def _blocks(visitor: Visitor, blocks: Rows) -> None:
    texts, t = visitor.texts, visitor.t
    with Tag("section", "card"):
        Tag("h2", text=t("Why addresses are blocked"))
        if not blocks:
            empty("ok", t("No address is blocked"), t("Addresses that cannot be reached appear here automatically."))
        lines: list[tuple[str, int, str | None]] = []
        for row in sorted(blocks, key=lambda row: -row["blocked"])[:MOST_LINES]:
            cause, reason = reasons.word(texts, reasons.CAUSES, row["cause"]), reasons.title(texts, row["reason"])
            target = f"/blocked?f.cause={row['cause']}" + (f"&f.reason={row['reason']}" if row["reason"] else "")
            title = cause if not reason or reason == cause else f"{cause}: {reason}"
            lines.append((title, row["blocked"], target))
        bars(visitor, lines)


def bars(visitor: Visitor, lines: Sequence[tuple[str, int, str | None]]) -> None:
    """Draw a list of counts with a small bar each, and where it leads."""
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
