"""Which SMTP command the final reply answered, where a notice tells it beside the reply.

"User unknown" said to RCPT is about the mailbox; the same words said to the message itself are a filter's.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from returpost.bounces.reports.report import Report
from returpost.contracts import Evidence, construct_trusted
from returpost.contracts.enums import Command, Kind

MAX_NOTICE = 16_384
MAX_BLOCK = 1_500
"""Characters after an address in which its reply is looked for."""
# The repeats are bounded: RE2, which needs no bounds, costs ten times as much a call.
_IN_REPLY = re.compile(
    r"(?:in\s{1,40}reply\s{1,40}to|after|for)\s{1,40}(?:the\s{1,40})?"
    r"(initial\s{1,40}connection|mail\s{1,40}from|rcpt\s{1,40}to|end\s{1,40}of\s{1,40}data|data\s{1,40}command|data:"
    r"|ehlo|helo)"
)
_SENT = re.compile(r"(?i)\s{0,40}>>>\s{0,40}(ehlo|helo|mail from|rcpt to|data|\.)")
_REFUSED = re.compile(r"\s{0,40}<<<\s{0,40}[45]\d\d")
_COMMANDS = {"m": Command.MAIL, "r": Command.RCPT, "d": Command.DATA, ".": Command.DATA, "h": Command.HELO}


def told(reports: Sequence[Report], notice: str) -> tuple[Report, ...]:
    """Return the reports, each failure with the command that its reply answered if the notice tells it."""
    notice = notice[:MAX_NOTICE]
    lowered = notice.lower()
    transcript = _of_transcript(notice) if ">>>" in notice else {}
    alone = len(reports) == 1
    return tuple(_with_command(report, lowered, transcript, alone) for report in reports)


def _with_command(report: Report, notice: str, transcript: dict[str, Command], alone: bool) -> Report:
    evidence = report.evidence
    if evidence.kind is not Kind.FAILURE or evidence.command is not None:
        return report
    failed = (evidence.final_recipient or report.recipient).lower()
    command = transcript.get(failed) or (transcript.get("") if alone else None) or _of_sentence(notice, failed, alone)
    if command is None:
        return report
    return replace(report, evidence=construct_trusted(Evidence, **(evidence.__dict__ | {"command": command})))


def _of_transcript(notice: str) -> dict[str, Command]:
    """Return what was refused first of each recipient, and, under no name, of all."""
    found: dict[str, Command] = {}
    command, recipient = None, ""
    for line in notice.split("\n"):
        if sent := _SENT.match(line):
            command = _command(sent[1])
            recipient = line.rpartition("<")[2].partition(">")[0].lower() if command is Command.RCPT else ""
        elif command is not None and _REFUSED.match(line):
            found.setdefault(recipient, command)
            found.setdefault("", command)
    return found


def _of_sentence(notice: str, failed: str, alone: bool) -> Command | None:
    start = notice.find(failed)
    if start < 0 and not alone:
        return None
    block = notice[max(start, 0) :][:MAX_BLOCK]
    if not alone:
        block = block.partition("\n\n")[0]
    found = _IN_REPLY.search(block)
    return _command(found[1]) if found else None


def _command(word: str) -> Command:
    start = word[0].lower()
    if start == "e":
        return Command.DATA if word[1].lower() == "n" else Command.HELO
    return _COMMANDS.get(start, Command.CONNECT)
