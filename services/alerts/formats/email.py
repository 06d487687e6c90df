"""A message as e-mail: plain text and HTML. Nothing of its content is read as a header or as markup."""

from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from typing import Final

from services.alerts.domain.channel import Language
from services.alerts.domain.wording import Paragraph, Words, severity_word
from services.alerts.formats.report import chart, html, report_of

MAX_SUBJECT: Final = 150
_STYLE: Final = "font-family:system-ui,Segoe UI,Helvetica,Arial,sans-serif;font-size:15px;line-height:1.5;color:#1d2733"


def email(words: Words, sender: str, recipients: Sequence[str], id_: str, time: datetime) -> EmailMessage:
    """Return an e-mail; it has the same id however often it is tried."""
    text = "\n\n".join([*(_text(one, words.language) for one in words.paragraphs), *([words.more] * bool(words.more))])
    reports = [(one.alert.id, found) for one in words.paragraphs if (found := report_of(one.alert)) is not None]
    body = "".join(_html(one, words.language) for one in words.paragraphs)
    body += "".join(html(found, words.language, f"{cause}@returpost") for cause, found in reports)
    more = f"<p>{escape(words.more)}</p>" if words.more else ""
    subject = f"[{severity_word(words.severity, words.language)}] {words.title}"
    message = envelope(subject, text, body + more, sender, recipients, id_, time, words.language)
    _, page = message.iter_parts()
    for cause, found in reports:
        page.add_related(chart(found), "image", "png", cid=f"<{cause}@returpost>", disposition="inline")
    return message


def trial_email(
    title: str, text: str, sender: str, recipients: Sequence[str], id_: str, time: datetime, language: Language
) -> EmailMessage:
    """Return an e-mail that only tries out a channel."""
    return envelope(title, text, f"<p>{escape(text)}</p>", sender, recipients, id_, time, language)


def envelope(
    subject: str, text: str, body: str, sender: str, recipients: Sequence[str], id_: str, time: datetime,
    language: Language,
) -> EmailMessage:  # fmt: skip
    """Return an e-mail with these contents, marked as written by a machine: RFC 3834 section 5."""
    message = EmailMessage(SMTP)
    message["From"] = Address("Returpost", addr_spec=sender)
    message["To"] = [Address(addr_spec=recipient) for recipient in recipients]
    message["Subject"] = one_line(subject)[:MAX_SUBJECT]
    message["Date"] = time
    message["Message-ID"] = f"<{id_}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(text + "\n")
    page = f'<!doctype html><html lang="{language.value}"><body style="{_STYLE}">{body}</body></html>'
    message.add_alternative(page, subtype="html")
    return message


def one_line(text: str) -> str:
    """Return a text without line breaks and control characters: what could end a header and begin another."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _text(one: Paragraph, language: Language) -> str:
    lines = [f"{severity_word(one.alert.severity, language)}: {one.title}", one.text, one.when]
    return "\n".join([*lines, *([one.link or one.command] * bool(one.link or one.command))])


def _html(one: Paragraph, language: Language) -> str:
    way = ""
    if one.link:
        way = f'<p><a href="{escape(one.link)}">{escape(one.link)}</a></p>'
    elif one.command:
        way = f'<p><code style="background:#f1f3f5;padding:4px 6px">{escape(one.command)}</code></p>'
    head = f"{severity_word(one.alert.severity, language)}: {one.title}"
    return (
        f'<h2 style="font-size:17px;margin:20px 0 4px">{escape(head)}</h2><p style="margin:0">{escape(one.text)}</p>'
        f'<p style="margin:4px 0;color:#5b6773">{escape(one.when)}</p>{way}'
    )
