"""Which SMTP command the final reply answered, where a notice tells it beside the reply.

"User unknown" said to RCPT is about the mailbox; the same words said to the message itself are a filter's.
"""

from collections.abc import Sequence
from dataclasses import replace

import re2

from services.ingest.mail.report import Report
from shared.vocabulary import Command, Kind

MAX_NOTICE = 16_384
MAX_BLOCK = 1_500
"""Characters after an address in which its reply is looked for."""
_IN_REPLY = re2.compile(
    r"(?i)(?:in\s+reply\s+to|after|for)\s+(?:the\s+)?"
    r"(initial\s+connection|mail\s+from|rcpt\s+to|end\s+of\s+data|data\s+command|data:|ehlo|helo)"
)
_SENT = re2.compile(r"(?i)^\s*>>>\s*(ehlo|helo|mail from|rcpt to|data|\.)")
_REFUSED = re2.compile(r"^\s*<<<\s*[45]\d\d")
_COMMANDS = {"m": Command.MAIL, "r": Command.RCPT, "d": Command.DATA, ".": Command.DATA, "h": Command.HELO}


def told(reports: Sequence[Report], notice: str) -> tuple[Report, ...]:
    """Return the reports, each failure with the command that its reply answered if the notice tells it."""
    notice = notice[:MAX_NOTICE]
    transcript = _of_transcript(notice) if ">>>" in notice else {}
    alone = len(reports) == 1
    return tuple(_with_command(report, notice, transcript, alone) for report in reports)


def _with_command(report: Report, notice: str, transcript: dict[str, Command], alone: bool) -> Report:
    evidence = report.evidence
    if evidence.kind is not Kind.FAILURE or evidence.command is not None:
        return report
    failed = (evidence.final_recipient or report.recipient).lower()
    command = transcript.get(failed) or (transcript.get("") if alone else None) or _of_sentence(notice, failed, alone)
    if command is None:
        return report
    return replace(report, evidence=evidence.model_copy(update={"command": command}))


def _of_transcript(notice: str) -> dict[str, Command]:
    """Return what was refused first of each recipient, and, under no name, of all."""
    found: dict[str, Command] = {}
    command, recipient = None, ""
    for line in notice.split("\n"):
        if sent := _SENT.search(line):
            command = _command(sent[1])
            recipient = line.rpartition("<")[2].partition(">")[0].lower() if command is Command.RCPT else ""
        elif command is not None and _REFUSED.search(line):
            found.setdefault(recipient, command)
            found.setdefault("", command)
    return found


def _of_sentence(notice: str, failed: str, alone: bool) -> Command | None:
    start = notice.lower().find(failed)
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
