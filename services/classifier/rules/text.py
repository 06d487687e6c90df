"""What rules see of a reply: its words, without what differs from mail to mail. All in time linear to the text."""

import re
from typing import Any, NamedTuple

from shared.contracts import Evidence
from shared.vocabulary import Command

MAX_TEXT = 4_000
"""Characters of a text that are looked at; what decides stands at the beginning."""
_CODE = r"[245]\d\d(?:[ -]#?[245]\.\d{1,3}\.\d{1,3}:?(?: |$)|- ?)"
_CHANGING = re.compile(rf"(?<!\S)(?:({_CODE})|[^\s0-9@]*[0-9@]\S*)")
"""Codes, and words with a digit or an address in them."""
_CODE_ALONE = re.compile(r"[245]\d\d-(?!#?[245]\.\d)")
_NO_ADDRESS = r"""\s<>()\[\],;:"'@"""
_ADDRESS = re.compile(rf"<?(?<![^{_NO_ADDRESS}])[^{_NO_ADDRESS}]+@[^{_NO_ADDRESS}]+(?<!\.)>?")
_ID = re.compile(r"\W*(?:[a-z]*\d[a-z0-9]*(?<=[a-z0-9]{8})|[0-9a-f]{4,}(?:-[0-9a-f]{4,}){2,})\W*")
_IP = re.compile(r"\[?(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])\]?(?::\d+)?")
_WORD = re.compile(r"(?<![<\[])[^\W\d_]{2,}")
_NAMED = re.compile(r"^[a-z0-9-]*\.[a-z0-9.-]*\[ip\]")
_ANSWERED = re.compile(
    r"(?:in (?:reply|response) to(?: the| smtp)?|\bafter|\bfor|\bcommand) (?:the )?"
    r"(initial connection|connection|banner|connect|ehlo|helo|mail from|rcpt to|rcpt|end of data|end-of-data"
    r"|(?:data|mail) command|data$|data[:)])"
    r"|(does not like recipient|\[rcpt_to\]|rcpt to response)|(but sender was rejected)"
    r"|failed (?:on|after) (?:the )?(?:data|message)"
)
_HINTS = (
    "repl",
    "response",
    "rcpt",
    "after",
    "connection",
    "does not like",
    "sender was",
    "failed on",
    " data",
    "helo",
)
"""One of these is in every text that the expression finds; looking for them costs a tenth of it."""
_COMMANDS = {"e": Command.HELO, "h": Command.HELO, "m": Command.MAIL, "r": Command.RCPT, "d": Command.DATA}


class Said(NamedTuple):
    """All that a verdict is made of: the same always gets the same, whoever it was said to."""

    text: str
    """As `readable` gives it."""
    status: str | None
    reply_code: int | None
    command: Command | None
    """The command that the reply answers, when that is known."""
    report: bool
    """A bounce mail told it, not a sender, a log or a webhook."""
    hosts: str
    """Names of the MTAs, when any rule asks for them."""


def said_by(evidence: Evidence, *, with_hosts: bool) -> Said:
    """Return what rules look at."""
    text = readable(evidence.diagnostic)
    hosts = f"{evidence.remote_mta or ''} {evidence.reporting_mta or ''}".lower() if with_hosts else ""
    command = evidence.command or answered(text)
    return Said(text, evidence.status, evidence.reply_code, command, evidence.format != "smtp", hosts)


def answered(text: str) -> Command | None:
    """Return the command that the reply answered, where the folded text tells it (Postfix, Exim, qmail, Sendmail)."""
    if not any(hint in text for hint in _HINTS) or (found := _ANSWERED.search(text)) is None:
        return None
    if found[1] is None:
        return Command.RCPT if found[2] else Command.MAIL if found[3] else Command.DATA
    word = found[1]
    if word.startswith(("end", "dot", ".")):
        return Command.DATA
    return _COMMANDS.get(word[0], Command.CONNECT)


def fold(text: str) -> str:
    """Return the text as patterns see it: lower case, single spaces, bounded."""
    return " ".join(text[:MAX_TEXT].split()).lower()


def readable(text: str) -> str:
    """Return the folded text without what differs from mail to mail: addresses, hosts' addresses, ids, codes.

    An address is `<@>`, a host with its address `[ip]` and an id `#`; codes are left out, for those of continuation
    lines stand in the middle of sentences. What is left is the same for all mails that a server answers alike.
    """
    folded = fold(text)
    words = _CHANGING.sub(_without_names, folded)
    if folded[3:4] != "-":
        return words
    code = f" {folded[:3]} "
    words = f" {words}".replace(code, " ").strip()
    # With a status, code and status are left out; a code alone stands before the words, as in a reply of one line.
    return f"{code}{words}".strip() if _CODE_ALONE.match(folded) else words


def has_words(said: Said) -> bool:
    """Tell whether anything was said beside codes, addresses and numbers."""
    return _WORD.search(said.text) is not None


def _without_names(found: re.Match[str]) -> Any:
    if found[1]:
        return ""
    word = found[0]
    if "@" in word:
        return _ADDRESS.sub("<@>", word)
    if _ID.fullmatch(word):
        return "#"
    if word.count(".") >= 3:
        return _NAMED.sub("[ip]", _IP.sub("[ip]", word))
    return word
