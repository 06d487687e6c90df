"""What is sent: nothing of its content is read as a header, as markup, as a mention or as a link."""

import json
import struct
import zlib
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from returpost.contracts.cloudevents import event
from returpost.contracts.enums import AlertKind, Reason, Severity
from services.alerts.domain.alert import MAX_FACT, Alert, alert_of
from services.alerts.domain.channel import Language
from services.alerts.domain.reasons import REASONS
from services.alerts.domain.wording import Words, words
from services.alerts.formats import email, report, slack, teams, webhook
from services.alerts.formats.png import png
from services.console import i18n
from services.console.i18n import reasons as console_reasons
from tests.alerts.builders import weekly_report

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
HOSTILE = (
    "<!channel> <https://evil.example|click> *bold* `code` [x](https://evil.example) <script>alert(1)</script>"
    " & &lt; {{facts}} \r\nBcc: eve@example.com\r\n\r\n<h1>"
)
SENDER, RECIPIENTS = "returpost@example.com", ["kari@example.com", "ola@example.com"]


def told(text: str = HOSTILE, number: int = 1) -> Words:
    facts = {"name": text, "why": text}
    many = [Alert(f"a-{n}", "acme", AlertKind.WEBHOOK_DISABLED, Severity.WARNING, NOW, facts) for n in range(number)]
    return words(many, Language.ENGLISH, "UTC", "https://console.example.com")


def strings(value: Any, path: str = "") -> list[tuple[str, str]]:
    """Return the strings in a JSON value with the names that lead to them."""
    if isinstance(value, dict):
        return [found for name, one in value.items() for found in strings(one, f"{path}.{name}")]
    if isinstance(value, list):
        return [found for one in value for found in strings(one, path)]
    return [(path, value)] if isinstance(value, str) else []


@given(st.one_of(st.just(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), max_size=80)))
@settings(max_examples=60)
def test_email_has_the_headers_that_were_meant_whatever_is_in_it(text: str) -> None:
    mail = email.email(told(text), SENDER, RECIPIENTS, "msg_1", NOW)
    read = message_from_bytes(mail.as_bytes(), policy=default)
    assert sorted(read.keys()) == sorted(
        ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "MIME-Version",
         "Content-Type"]
    )  # fmt: skip
    assert [one.addr_spec for one in read["To"].addresses] == RECIPIENTS
    assert read["Message-ID"] == "<msg_1@example.com>"
    assert read["Auto-Submitted"] == "auto-generated"


def test_email_is_text_and_html_in_which_content_is_no_markup() -> None:
    mail = email.email(told(), SENDER, RECIPIENTS, "msg_1", NOW)
    text, page = (part.get_content() for part in mail.iter_parts())
    assert "<script>" in text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert mail["Subject"].startswith("[Warning] The webhook")


def test_slack_has_content_only_where_slack_reads_no_markup() -> None:
    body = json.loads(slack.slack(told()))
    assert set(body) == {"text", "blocks"}
    for special in ("<!channel>", "<https", "<script>"):
        assert special not in body["text"]
    assert "mrkdwn" not in json.dumps(body)
    for block in body["blocks"]:
        if block["type"] in ("section", "header"):
            assert block["text"]["type"] == "plain_text"
    assert len(body["blocks"][0]["text"]["text"]) <= 150


def test_teams_has_content_only_in_runs_which_are_no_markdown() -> None:
    body = json.loads(teams.teams(told()))
    (attachment,) = body["attachments"]
    assert (body["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    kinds = {block["type"] for block in attachment["content"]["body"]}
    assert kinds == {"RichTextBlock"}
    holding = {path for path, text in strings(attachment["content"]) if "evil" in text}
    assert holding == {".body.inlines.text"}


@pytest.mark.parametrize("number", [1, 5, 400])
def test_no_format_grows_beyond_what_is_taken(number: int) -> None:
    """Slack takes 50 blocks (https://docs.slack.dev/reference/block-kit/blocks), Teams 28 KB a card."""
    many = told("\N{SNOWMAN}" * MAX_FACT, number)
    assert len(json.loads(slack.slack(many))["blocks"]) <= 50
    assert len(teams.teams(many)) < 28_000
    assert len(email.email(many, SENDER, RECIPIENTS, "m", NOW).as_bytes()) < 200_000


def test_webhook_has_an_event_an_alert_with_the_id_of_its_cause() -> None:
    events = json.loads(webhook.raised(told(number=2).paragraphs))
    assert [one["id"] for one in events] == ["a-0", "a-1"]
    assert {one["type"] for one in events} == {"returpost.alert.raised.v1"}
    assert {one["data"]["severity"] for one in events} == {"warning"}
    assert all(one["tenant"] == "acme" for one in events)


def pixels(picture: bytes) -> list[bytes]:
    """Read a PNG of indexed colours without filters, by its specification: the rows of its pixels."""
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    at, parts = 8, dict[bytes, bytes]()
    while at < len(picture):
        (length,) = struct.unpack(">I", picture[at : at + 4])
        kind, data = picture[at + 4 : at + 8], picture[at + 8 : at + 8 + length]
        assert struct.unpack(">I", picture[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + data),)
        parts[kind], at = data, at + 12 + length
    assert list(parts) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    width, height, depth, colour = struct.unpack(">IIBB", parts[b"IHDR"][:10])
    assert (depth, colour) == (8, 3)
    lines = zlib.decompress(parts[b"IDAT"])
    assert len(lines) == (width + 1) * height
    rows = [lines[n * (width + 1) : (n + 1) * (width + 1)] for n in range(height)]
    assert {row[0] for row in rows} == {0}
    assert max(max(row[1:]) for row in rows) < len(parts[b"PLTE"]) // 3
    return [row[1:] for row in rows]


@given(st.lists(st.tuples(*[st.integers(-5, 40)] * 4), max_size=5))
def test_a_picture_has_its_rectangles_where_they_are(drawn: list[tuple[int, int, int, int]]) -> None:
    rows = pixels(png(30, 20, [(255, 255, 255), (0, 0, 0)], [(*one, 1) for one in drawn]))
    for y, row in enumerate(rows):
        for x, colour in enumerate(row):
            inside = any(left <= x < left + wide and top <= y < top + high for left, top, wide, high in drawn)
            assert colour == inside


def test_the_chart_has_a_bar_a_day_as_high_as_its_bounces() -> None:
    rows = pixels(report.chart(weekly_report(NOW)))
    middles = [report.MARGIN + n * ((report.WIDTH - 2 * report.MARGIN) // 7) + 38 for n in range(7)]
    heights = [sum(row[x] in (report.HARD, report.SOFT) for row in rows) for x in middles]
    room = report.HEIGHT - 2 * report.MARGIN
    assert heights == pytest.approx([room * n / 6 for n in range(7)], abs=1)
    hard = [sum(row[x] == report.HARD for row in rows) for x in middles]
    assert hard == pytest.approx([room * n / 6.6 for n in range(7)], abs=1)


@pytest.mark.parametrize("language", Language)
def test_the_weekly_report_is_an_email_with_figures_and_a_picture(language: Language) -> None:
    data = weekly_report(NOW, domain="<script>evil</script>")
    one = alert_of(event(data, id="e", source="/test", tenant="acme"), show_addresses=False)
    assert one is not None
    mail = email.email(words([one], language, "UTC"), SENDER, RECIPIENTS, "msg_1", NOW)
    read = message_from_bytes(mail.as_bytes(), policy=default)
    kinds = [part.get_content_type() for part in read.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]
    page, picture = (part for part in read.walk() if part.get_content_type() in ("text/html", "image/png"))
    text = page.get_content()
    assert f'src="cid:{picture["Content-ID"][1:-1]}"' in text
    assert pixels(picture.get_content())
    assert "<script>" not in text
    for figure in (
        "21\N{NO-BREAK SPACE}000",
        "20\N{NO-BREAK SPACE}000",
        "1.10 %",
        "0.50 %",
        REASONS[language]["user_unknown"],
        "190",
    ):
        assert figure in text
    plain = next(part for part in read.walk() if part.get_content_type() == "text/plain").get_content()
    assert "21000" in plain
    assert "231" in plain


def test_a_report_goes_to_chats_as_a_sentence() -> None:
    one = alert_of(event(weekly_report(NOW), id="e", source="/test", tenant="acme"), show_addresses=False)
    assert one is not None
    told = words([one], Language.ENGLISH, "UTC")
    for body in (slack.slack(told), teams.teams(told)):
        assert b"21000 sent, 231 came back (1.10 %)" in body
        assert b"user_unknown" not in body


def test_reasons_are_told_in_the_words_of_the_console() -> None:
    for reason in Reason:
        assert REASONS[Language.ENGLISH][reason] == console_reasons.REASONS[reason].title
        assert REASONS[Language.NORWEGIAN][reason] == i18n.catalog("nb").gettext(console_reasons.REASONS[reason].title)
