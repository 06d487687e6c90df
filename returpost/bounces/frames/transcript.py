"""The reply that refused, out of the transcript of an SMTP session: `>>>` and `<<<` (Sendmail, Courier), or arrows."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from returpost.contracts.enums import Command

MAX_TURNS = 400
_TURN = re.compile(r"(>>>|<<<)")
_ARROW = re.compile(r"((?<![-\w])-{1,3}>(?=\s?[A-Za-z.])|(?<![-\w])<-{1,3}(?=\s?\d))")
"""Who speaks: the arrows of MDaemon and others point to and from the remote host."""
_CODE = re.compile(r"\s{0,9}([2345]\d\d)(?=[\s-]|$)")
_HOST = re.compile(
    r"(?:while talking to|connected to|\bhost:?)\s{1,9}([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8})"
)
_RECIPIENT = re.compile(r"<([^<>\s]{1,320})>|:\s?([^<>\s]{1,320}@[^<>\s]{1,255})")
_ALREADY_FAILED = re.compile(r"\s{0,9}503[ -].{0,60}(?:need|sequence|first|valid recipient)", re.IGNORECASE)
"""What follows when every recipient was refused: "Need RCPT"."""
_OF_ADDRESS = re.compile(r"\s{0,9}553[ -]5\.3\.0 <[^<>\s]{1,320}>\.\.\. ")
"""How Sendmail answers RCPT when a ruleset or its access table refuses the address (`$#error` without a status)."""
_STARTS = (
    ("rcpt", Command.RCPT),
    ("mail", Command.MAIL),
    ("data", Command.DATA),
    ("bdat", Command.DATA),
    (".", Command.DATA),
    ("ehlo", Command.HELO),
    ("helo", Command.HELO),
    ("lhlo", Command.HELO),
    ("starttls", None),
    ("auth", None),
    ("quit", None),
    ("rset", None),
)


class Exchange(NamedTuple):
    """One command and the reply to it; the greeting answers `CONNECT`. `recipient` is the one of a RCPT."""

    command: Command | None
    recipient: str
    reply: str
    code: int


@lru_cache(maxsize=8)
def exchanges(text: str) -> tuple[Exchange, ...]:
    """Return the commands with their replies, in order; a reply of several lines is joined.

    What is answered is not known of a reply that a piece of a transcript begins with.
    """
    found: list[Exchange] = []
    first = _marks(text).search(text)
    greeted = first is not None and "talking to" in text[max(0, first.start() - 200) : first.start()]
    command: Command | None = Command.CONNECT if greeted else None
    recipient = ""
    for speaker, words in _turns(text):
        if speaker.endswith(">"):
            command, recipient = _command(words)
            continue
        code = _CODE.match(words)
        if code is None:
            continue
        if (
            found
            and found[-1].command is command
            and found[-1].recipient == recipient
            and _continues(found[-1], code[1])
        ):
            found[-1] = found[-1]._replace(reply=f"{found[-1].reply}\n{words}")
        else:
            found.append(Exchange(command, recipient, words, int(code[1])))
        command_was_answered = words[code.end() : code.end() + 1] != "-"
        if command_was_answered and command is Command.CONNECT:
            command = None
    return tuple(map(_pipelined, found, [*found[1:], None]))


def _pipelined(turn: Exchange, following: Exchange | None) -> Exchange:
    """Return the exchange; with the command that was refused, where the answer to DATA is only that none is left.

    Commands may be sent in groups (RFC 2920): Sendmail writes the last of them alone, with the answers to all.
    """
    refused = turn.command is Command.DATA and _OF_ADDRESS.match(turn.reply)
    if refused and following and following.command is Command.DATA and _ALREADY_FAILED.match(following.reply):
        return turn._replace(command=Command.RCPT)
    return turn


def refusal(text: str, recipient: str = "") -> Exchange | None:
    """Return the exchange that refused the message, or this recipient of it.

    A refused RCPT goes before a refused message and that before MAIL, HELO and the greeting: what is refused later is
    often only what follows, and STARTTLS is tried and left out.
    """
    refused = [turn for turn in exchanges(text) if turn.code >= 400 and not _ALREADY_FAILED.match(turn.reply)]
    wanted = recipient.lower()
    order = (Command.RCPT, Command.MAIL, Command.DATA, Command.CONNECT, Command.HELO, None)
    for command in order:
        for turn in refused:
            if turn.command is not command:
                continue
            if command is Command.RCPT and wanted and turn.recipient and turn.recipient != wanted:
                continue
            return turn
    return None


def host_of(text: str) -> str | None:
    """Return the host that the session was with."""
    found = _HOST.search(text)
    return found[1] if found else None


def _turns(text: str) -> Iterator[tuple[str, str]]:
    pieces = _marks(text).split(text, MAX_TURNS)
    for speaker, words in zip(pieces[1::2], pieces[2::2], strict=True):
        # A line is one turn; where lines were joined, the next mark ends it.
        line = words.partition("\n")[0].strip()
        if line:
            yield speaker, line


def _marks(text: str) -> re.Pattern[str]:
    return _TURN if "<<<" in text else _ARROW


def _command(words: str) -> tuple[Command | None, str]:
    lowered = words[:400].lower()
    for start, command in _STARTS:
        if lowered.startswith(start):
            named = _RECIPIENT.search(lowered) if command is Command.RCPT else None
            return command, (named[1] or named[2]) if named else ""
    return None, ""


def _continues(last: Exchange, code: str) -> bool:
    line = last.reply.rpartition("\n")[2]
    return line.startswith(f"{code}-")
