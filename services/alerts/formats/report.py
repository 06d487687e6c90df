"""The weekly report in an e-mail: figures, a picture of the bounces a day, reasons and receiving domains."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Final

from pydantic import ValidationError

from returpost.contracts import ReportDay, ReportPrepared
from services.alerts.domain.alert import REPORT, Alert, share
from services.alerts.domain.channel import Language
from services.alerts.domain.reasons import REASONS
from services.alerts.formats.png import Rectangle, png

WIDTH: Final = 560
HEIGHT: Final = 160
MARGIN: Final = 10
BAR: Final = 44
WHITE, LINE, HARD, SOFT = range(4)
COLOURS: Final = ((255, 255, 255), (214, 219, 224), (192, 57, 43), (230, 160, 60))
_CELL: Final = 'style="padding:3px 10px;text-align:right;border-bottom:1px solid #e3e7eb"'
_FIRST: Final = 'style="padding:3px 10px;text-align:left;border-bottom:1px solid #e3e7eb"'


def report_of(alert: Alert) -> ReportPrepared | None:
    """Return the report that an alert carries; nothing when it carries none."""
    try:
        return ReportPrepared.model_validate_json(alert.facts.get(REPORT, ""))
    except ValidationError:
        return None


def chart(report: ReportPrepared) -> bytes:
    """Return a picture of the bounces of each day, hard below soft, as PNG."""
    return png(WIDTH, HEIGHT, COLOURS, _rectangles(report))


def html(report: ReportPrepared, language: Language, picture: str) -> str:
    """Return the report as HTML; `picture` is the content id of the chart."""
    t = _TEXTS[language]
    days = (_day_row(day) for day in report.days)
    alt = f"{t['chart']}: " + ", ".join(f"{day.day:%d.%m.} {day.hard + day.soft}" for day in report.days)
    return "".join(
        (
            _table((t["figure"], t["week"], t["before"]), _figures(report, t)),
            f'<h3 style="margin:18px 0 4px">{escape(t["chart"])}</h3>',
            f'<img src="cid:{picture}" width="{WIDTH}" height="{HEIGHT}" alt="{escape(alt)}" style="max-width:100%">',
            (
                f'<p style="margin:0;color:#5b6773"><span style="color:#c0392b">&#9632;</span> {escape(t["hard"])} '
                f'<span style="color:#e6a03c">&#9632;</span> {escape(t["soft"])}</p>'
            ),
            _table((t["day"], t["sent"], t["hard"], t["soft"], t["share"], t["complained"]), days),
            _counts(t["reasons"], {REASONS[language].get(name, name): count for name, count in report.reasons.items()}),
            _counts(t["domains"], report.domains),
        )
    )


def _figures(report: ReportPrepared, t: Mapping[str, str]) -> Iterable[tuple[str, ...]]:
    now, before = report.totals, report.before
    for name in ("sent", "hard", "soft", "complained", "unsubscribed", "recovered"):
        yield t[name], _number(now.get(name, 0)), _number(before.get(name, 0))
    for name, parts in (("share", ("hard", "soft")), ("complaint_share", ("complained",))):
        yield t[name], *(share(sum(one.get(part, 0) for part in parts), one.get("sent", 0)) for one in (now, before))
    yield t["blocked"], _number(report.blocked), ""
    yield t["lifted"], _number(report.lifted), ""


def _day_row(day: ReportDay) -> tuple[str, ...]:
    counts = (_number(one) for one in (day.sent, day.hard, day.soft))
    return (f"{day.day:%d.%m.}", *counts, share(day.hard + day.soft, day.sent), _number(day.complained))


def _counts(title: str, counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    return _table((title, ""), ((name, _number(count)) for name, count in counts.items()))


def _table(head: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [_line(tuple(head), "th"), *(_line(row, "td") for row in rows)]
    return f'<table style="border-collapse:collapse;margin:14px 0">{"".join(lines)}</table>'


def _line(cells: tuple[str, ...], kind: str) -> str:
    drawn = (f"<{kind} {_CELL if n else _FIRST}>{escape(cell)}</{kind}>" for n, cell in enumerate(cells))
    return f"<tr>{''.join(drawn)}</tr>"


def _rectangles(report: ReportPrepared) -> Iterable[Rectangle]:
    floor, room = HEIGHT - MARGIN, HEIGHT - 2 * MARGIN
    most = max((day.hard + day.soft for day in report.days), default=0) or 1
    for quarter in range(5):
        yield 0, floor - room * quarter // 4, WIDTH, 1, LINE
    step = (WIDTH - 2 * MARGIN) // 7
    for n, day in enumerate(report.days):
        left = MARGIN + n * step + (step - BAR) // 2
        hard = round(room * day.hard / most)
        both = round(room * (day.hard + day.soft) / most)
        yield left, floor - hard, BAR, hard, HARD
        yield left, floor - both, BAR, both - hard, SOFT


def _number(count: int) -> str:
    return f"{count:,}".replace(",", "\N{NO-BREAK SPACE}")


_TEXTS: Final[Mapping[Language, Mapping[str, str]]] = {
    Language.ENGLISH: {
        "figure": "Recipients", "week": "This week", "before": "The week before", "sent": "Sent",
        "hard": "Hard bounces", "soft": "Soft bounces", "complained": "Complained", "unsubscribed": "Unsubscribed",
        "recovered": "Delivered in the end", "share": "Bounce rate", "complaint_share": "Complaint rate",
        "blocked": "Addresses blocked", "lifted": "Blocks lifted", "chart": "Bounces a day", "day": "Day",
        "reasons": "Why e-mails bounced", "domains": "Receiving domains with most bounces",
    },
    Language.NORWEGIAN: {
        "figure": "Mottakere", "week": "Denne uka", "before": "Uka før", "sent": "Sendt", "hard": "Harde returer",
        "soft": "Myke returer", "complained": "Klaget", "unsubscribed": "Meldt av",
        "recovered": "Levert til slutt", "share": "Andel i retur", "complaint_share": "Andel klager",
        "blocked": "Blokkerte adresser", "lifted": "Opphevede blokkeringer", "chart": "Returer per dag", "day": "Dag",
        "reasons": "Hvorfor e-poster kom i retur", "domains": "Mottakerdomener med flest returer",
    },
}  # fmt: skip
