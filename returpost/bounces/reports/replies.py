"""The remote server's reply among the words of a notice, and the SMTP command that it answered."""

import re

from returpost.bounces.frames import command_of, transcript, unwrap
from returpost.bounces.notices import prose
from returpost.bounces.notices.notice import Notice
from returpost.bounces.reports.report import Finding
from returpost.contracts.enums import Kind

MAX_NOTICE = 16_384
MAX_BLOCK = 1_500
"""Characters after an address in which its command is looked for."""
MAX_SEARCHED = 64
"""Reports of one mail whose command is looked for in the prose."""
# The repeats are bounded: RE2, which needs no bounds, costs ten times as much a call.
_ANSWERED = re.compile(
    r"(?:in\s{1,40}reply\s{1,40}to|after|for)\s{1,40}(?:the\s{1,40})?"
    r"(initial\s{1,40}connection|mail\s{1,40}from|rcpt\s{1,40}to|end\s{1,40}of\s{1,40}data|data\s{1,40}command|data:"
    r"|ehlo|helo)"
)
_STARTS_WITH_CODE = re.compile(r"\W{0,6}(?:smtp;\s?)?[45]\d\d(?:[ -]|\s?[45]\.\d{1,3}\.\d)", re.IGNORECASE)
_HAS_CODE = re.compile(r"(?<![\d.])[45]\d\d[ -]#?[45]\.\d{1,3}\.\d{1,3}\b")

_GIVES_REASON = re.compile(
    r"\W{0,9}(?:the |reject(?:ion)? |error |failure |delivery )?(?:reason|error|cause|diagnostics?|grund|årsak|orsak"
    r"|raison|motivo|oorzaak|powód|причина|理由|原因)(?: (?:code|text|message|reported|given"
    r"|for [^:：]{1,60}))?\s?[:：]\s?\S",
    re.IGNORECASE,
)


def reply_in(detail: str, recipient: str = "") -> str:
    """Return the lines of the reply among those about a recipient: what an MTA says before it is not part of it.

    Lines in a frame are left as they are: the frame tells its reply. A text without a code is returned whole.
    """
    if "\n" not in detail or unwrap(detail, recipient.lower()).frames:
        return detail
    lines = detail.split("\n")
    for matches in (_STARTS_WITH_CODE.match, _HAS_CODE.search, _GIVES_REASON.match):
        for number, line in enumerate(lines):
            if matches(line) and prose.telling(reply := "\n".join(lines[number:])):
                return reply
    return detail


def add_from_transcript(found: list[Finding], notice: Notice) -> None:
    """Give each failure the reply that the transcript of the session has for it, where its own words say nothing."""
    text = notice.text[:MAX_NOTICE]
    if "<<<" not in text and "<-" not in text:
        return
    for finding in found[:MAX_SEARCHED]:
        if finding.kind is not Kind.FAILURE:
            continue
        name = (finding.final or finding.original or "").lower()
        turn = transcript.refusal(text, name)
        if turn is None or (turn.recipient and turn.recipient != name and len(found) > 1):
            continue
        finding.command = finding.command or turn.command
        its_own = finding.read_from == "prose" and turn.recipient == name and prose.telling(turn.reply)
        if its_own or not prose.telling(finding.diagnostic):
            finding.diagnostic, finding.read_from = turn.reply, "transcript"
            finding.remote_mta = finding.remote_mta or transcript.host_of(text)


def add_commands(found: list[Finding], notice: Notice) -> None:
    """Give each failure the command that the notice says its reply answered."""
    wanting = [one for one in found[:MAX_SEARCHED] if one.kind is Kind.FAILURE and one.command is None]
    if not wanting:
        return
    text = notice.text[:MAX_NOTICE].lower()
    for finding in wanting:
        start = text.find((finding.final or finding.original or "").lower())
        if start < 0 and len(found) > 1:
            continue
        block = text[max(start, 0) :][:MAX_BLOCK]
        if len(found) > 1:
            block = block.partition("\n\n")[0]
        if answered := _ANSWERED.search(block):
            finding.command = command_of(answered[1])
