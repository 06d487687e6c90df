"""The failure notices that follow no RFC, as data: how each is recognised. How they are read is in `prose`.

A mark is a phrase of the notice's own text, in lower case and with single spaces, that its software always writes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from returpost.bounces.notices.phrases import (
    DELAY_PHRASES,
    DELIVERED_PHRASES,
    FAILURE_PHRASES,
    GIVEN_UP_PHRASES,
    NOTICE_PHRASES,
    REFUSED_PHRASES,
)
from returpost.linear_patterns import words_finder


@dataclass(frozen=True, slots=True)
class Format:
    """One family of notices; the first in the table whose mark is in the text names the format."""

    name: str
    marks: tuple[str, ...]
    reason: bool = False
    """Whether its marks are the reason, so that what follows only repeats it."""
    alone: bool = False
    """Whether a mark is enough to know a notice by."""


FORMATS = (
    Format("mailru", ("создано автоматически сервером mail.ru", "created automatically by mail.ru")),
    Format("zoho", ("created automatically by zoho",)),
    Format("gmx", ("smtp error from remote server for", "created automatically by gmx")),
    Format(
        "exim",
        (
            "this message was created automatically by",
            "error(s) in your message",
            "delivery attempts will continue to be made",
            "a message that you sent contained one or more recipient addresses",
            "a message that you sent contained no recipient addresses",
            "no delivery could be attempted",
            "have yet to be delivered",
        ),
    ),
    Format("indimail", ("--- enclosed is a copy of the message.",)),
    Format(
        "qmail",
        (
            "this is the qmail-send program",
            "this is the machine generated message from mail service",
            "hi. this is the ",
        ),
    ),
    Format(
        "postfix",
        (
            "this is the postfix program at host",
            "this is the mail system at host",
            "this is the mail delivery system at host",
        ),
    ),
    Format("yahoo", ("sorry, we were unable to deliver your message to the following address", "message from yahoo")),
    Format(
        "aol",
        (
            "your mail to the following recipients could not be delivered because they are not accepting mail",
            "the user(s) you are sending to are not accepting mail",
        ),
    ),
    Format("google-groups", ("https://groups.google.com/support", "groups.google.com/a/")),
    Format(
        "gmail",
        (
            "technical details of permanent failure",
            "technical details of temporary failure",
            "delivery to the following recipient failed permanently",
            "delivery to the following recipients failed permanently",
            "delivery to the following recipient has been delayed",
            "google tried to deliver your message",
        ),
    ),
    Format(
        "exchange",
        (
            "did not reach the following recipient(s)",
            "delivery has failed to these recipients",
            "diagnostic information for administrators",
            "your message did not reach some or all of the intended recipients",
            "the following recipient(s) cannot be reached",
            "the following recipient(s) could not be reached",
            "diagnoseinformationen für administratoren",
            "diagnostikkinformasjon for administratorer",
        ),
    ),
    Format(
        "domino",
        (
            "------- failure reasons",
            "not listed in domino directory",
            "not listed in public name & address book",
            "was not delivered to:",
        ),
    ),
    Format(
        "sendmail",
        (
            "transcript of session follows",
            "transcript of the session follows",
            "the following addresses had permanent",
            "the following addresses had transient",
            "the original message was received at",
        ),
    ),
    Format("mimecast", ("an email that you attempted to send to the following address could not be delivered",)),
    Format("mailfoundry", ("this has been a permanent failure. no further delivery attempts",)),
    Format("mcafee", ("the following addresses had delivery problems",)),
    Format(
        "opensmtpd", ("opensmtpd", "this is the mailer-daemon, please do not reply", "hi! this is the mailer-daemon")
    ),
    Format("dragonfly", ("this is the dragonfly mail agent",)),
    Format(
        "courier",
        (
            "this is a delivery status notification from",
            "this is a courier mail server",
            "your message cannot be delivered to the following recipients",
            "unable to deliver your message to the following recipients",
        ),
    ),
    Format(
        "kddi",
        (
            "each of the following recipients was rejected by a remote",
            "the user(s) account is disabled",
            "the user(s) account is temporarily limited",
        ),
        reason=True,
    ),
    Format("docomo", ("i mode", "spモード", "docomo.ne.jp")),
    Format("yandex", ("this is the yandex", "это автоматический ответ яндекс", "почтовой системой яндекс")),
    Format("barracuda", ("barracuda",)),
    Format("messagelabs", ("messagelabs", "symantec.cloud")),
    Format("trendmicro", ("interscan", "trend micro")),
    Format("james", ("error message below:", "message details:")),
    Format(
        "mailing-list",
        (
            "you are not a member of this mailing list",
            "not allowed to post to this mailing list",
            "you are not authorized to send mail to the ",
            "non-members are not allowed to post messages to this list",
        ),
        reason=True,
        alone=True,
    ),
)

MTAS = ("mailer-daemon", "mail-daemon", "mailerdaemon", "mail delivery s", "microsoftexchange", "mdaemon")
"""In the names and addresses under which nobody writes but programs."""
DAEMONS = (*MTAS, "postmaster", "post_master", "mailadm", "mail administrator", "mail system", "bounce")
LISTS = ("list-id", "list-unsubscribe", "list-post", "list-help")
"""Headers of what is sent to many (RFC 2369, RFC 2919): a report is sent to one."""


@cache
def _marks() -> Callable[[bytes], Sequence[int] | None]:
    return words_finder(text for text, _ in _numbered())


@cache
def _numbered() -> tuple[tuple[str, str], ...]:
    marks = tuple((mark, f"format:{format_.name}") for format_ in FORMATS for mark in format_.marks)
    phrases = (
        ("failure", FAILURE_PHRASES),
        ("notice", NOTICE_PHRASES),
        ("delivered", DELIVERED_PHRASES),
        ("delay", DELAY_PHRASES),
        ("given-up", GIVEN_UP_PHRASES),
        ("refused", REFUSED_PHRASES),
    )
    return marks + tuple((phrase, what) for what, list_ in phrases for phrase in list_)


class Recognised(NamedTuple):
    """What the words of a mail say it is; `format` is None when no software's own words are in it."""

    format: Format | None
    failure: bool
    delayed: bool
    delivered: bool
    refused: bool
    """Whether it says that something was refused or not found; only a program's saying so counts."""

    @property
    def said(self) -> bool:
        """Whether they are about a delivery."""
        return self.failure or self.delayed or self.delivered

    @property
    def name(self) -> str:
        """The name of the format."""
        return self.format.name if self.format else "prose"


def recognise(text: str) -> Recognised:
    """Look for all marks and phrases in one pass over the text (any case, any white space)."""
    matches = _marks()(" ".join(text.lower().split()).encode()) or ()
    numbered = _numbered()
    found = {numbered[number][1] for number in matches}
    names = {what[7:] for what in found if what.startswith("format:")}
    known = next((format_ for format_ in FORMATS if format_.name in names), None) if names else None
    delayed = "delay" in found and "given-up" not in found
    delivered = "delivered" in found and found.isdisjoint(("failure", "delay"))
    failure = not delivered and not found.isdisjoint(("failure", "notice"))
    return Recognised(known, failure, delayed, delivered, "refused" in found)


def line_of(format_: Format, notice: str) -> str:
    """Return the line that has a mark of the format; empty when it is broken over lines."""
    lines = (line.strip() for line in notice.split("\n"))
    return next((line for line in lines if any(mark in line.lower() for mark in format_.marks)), "")


def reason_of(notice: str) -> str:
    """Return the line of the notice that its format gives the reason in; empty when it is of no such format."""
    lowered = notice.lower()
    known = next((one for one in FORMATS if one.reason and any(mark in lowered for mark in one.marks)), None)
    return line_of(known, notice) if known else ""
