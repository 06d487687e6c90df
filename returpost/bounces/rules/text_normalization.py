"""What rules see of a reply: its words, without what differs from mail to mail. All in time linear to the text."""

import re
from typing import NamedTuple

from returpost.contracts import Evidence
from returpost.contracts.enums import Command

MAX_TEXT = 4_000
"""Characters of a text that are looked at; what decides stands at the beginning."""
_CODE = re.compile(r"[245]\d\d")
_STATUS = re.compile(r"#?[245]\.\d{1,3}\.\d{1,3}:?")
_CODE_ALONE = re.compile(r"[245]\d\d-(?!#?[245]\.\d)")
_NAMES = (
    "ses", "sendgrid", "mailgun", "postmark", "sparkpost", "mailjet", "brevo", "mandrill", "azure", "postal", "kumomta",
    "resend",
)  # fmt: skip
_SERVICES = frozenset(f"[{name}:" for name in _NAMES)
"""How what a sending service itself says begins, after the text: `[sendgrid: bounce/blocked/mailbox unavailable]`."""
_CHANGES = frozenset("0123456789@")
_NO_ADDRESS = r"""\s<>()\[\],;:"'@"""
_ADDRESS = re.compile(rf"<?(?<![^{_NO_ADDRESS}])[^{_NO_ADDRESS}]+@[^{_NO_ADDRESS}]+(?<!\.)>?")
MIN_ID = 8
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
_COMMANDS = {"e": Command.HELO, "h": Command.HELO, "m": Command.MAIL, "r": Command.RCPT, "d": Command.DATA}


_new = tuple.__new__
"""Makes what has names in a third of the time: one is made of each text."""


class NormalizedReply(NamedTuple):
    """All that a verdict is made of: the same always gets the same, whoever it was said to."""

    text: str
    """As `readable` gives it."""
    status: str | None
    reply_code: int | None
    command: Command | None
    """The command that the reply answers, when the report tells it apart from the text."""
    report: bool
    """A bounce mail told it, not a sender, a log or a webhook."""
    hosts: tuple[int, ...]
    """Which of the patterns for hosts, by number, are in the names of the MTAs."""

    @property
    def answers(self) -> Command | None:
        """The command that the reply answers, when that is known. Few rules ask for it, and the text is looked at."""
        return self.command or answered(self.text)


def normalized(evidence: Evidence, hosts: tuple[int, ...] = ()) -> NormalizedReply:
    """Return what rules look at."""
    report = evidence.format != "smtp"
    seen = readable(evidence.diagnostic), evidence.status, evidence.reply_code, evidence.command, report, hosts
    return _new(NormalizedReply, seen)


def answered(text: str) -> Command | None:
    """Return the command that the reply answered, where the folded text tells it (Postfix, Exim, qmail, Sendmail)."""
    if not _may_tell(text) or (found := _ANSWERED.search(text)) is None:
        return None
    if found[1] is None:
        return Command.RCPT if found[2] else Command.MAIL if found[3] else Command.DATA
    word = found[1]
    if word.startswith(("end", "dot", ".")):
        return Command.DATA
    return _COMMANDS.get(word[0], Command.CONNECT)


def _may_tell(text: str) -> bool:
    """Tell whether one of the words is there that are in every text that tells the command: a tenth of the search."""
    return (
        "repl" in text or "response" in text or "rcpt" in text or "after" in text or "connection" in text
        or "does not like" in text or "sender was" in text or "failed on" in text or " data" in text or "helo" in text
    )  # fmt: skip


def fold(text: str) -> str:
    """Return the text as patterns see it: lower case, single spaces, bounded."""
    return " ".join(text[:MAX_TEXT].split()).lower()


def readable(text: str) -> str:
    """Return the folded text without what differs from mail to mail: addresses, hosts' addresses, ids, codes.

    An address is `<@>`, a host with its address `[ip]` and an id `#`; codes are left out, for those of continuation
    lines stand in the middle of sentences. What is left is the same for all mails that a server answers alike.
    """
    words = text[:MAX_TEXT].lower().split()
    first = words[0] if words else ""
    if words and words[-1][-1] == "]":
        _join_service(words)
    for place, word in enumerate(words):
        if word.isalpha() or _CHANGES.isdisjoint(word):
            continue
        if word[0] in "245" and (len(word) == 3 or word[3:4] == "-") and _CODE.match(word):
            _leave_codes_out(words, place)
        else:
            words[place] = _without_names(word)
    if first[3:4] == "-" and _CODE.match(first):
        words = [word for word in words if word != first[:3]]
        # With a status, code and status are left out; a code alone stands before the words, as in a reply of one line.
        if _CODE_ALONE.match(first):
            words.insert(0, first[:3])
    return " ".join(filter(None, words))


def _join_service(words: list[str]) -> None:
    """Make one word of what a sending service says after the text, for rules that look for words do not mean it."""
    for place in range(len(words) - 2, max(len(words) - 40, -1), -1):
        if words[place] in _SERVICES:
            words[place + 1 :] = ["_".join(words[place + 1 :])]
            return


def _leave_codes_out(words: list[str], place: int) -> None:
    """Empty the word that begins with a code, and the next when it is the status; a code alone stays."""
    word = words[place]
    rest = word[4:]
    if len(word) == 3:
        if place + 1 < len(words) and _STATUS.fullmatch(words[place + 1]):
            words[place] = words[place + 1] = ""
    elif _STATUS.fullmatch(rest):
        words[place] = ""
    else:
        words[place] = rest if _CHANGES.isdisjoint(rest) else _without_names(rest)


def has_words(reply: NormalizedReply) -> bool:
    """Tell whether anything was said beside codes, addresses and numbers."""
    return _WORD.search(reply.text) is not None


def _without_names(word: str) -> str:
    if word.isalnum() and word.isascii():
        return "#" if len(word) >= MIN_ID else word
    if "@" in word:
        return _ADDRESS.sub("<@>", word)
    if _ID.fullmatch(word):
        return "#"
    if word.count(".") < 3:
        return word
    without = _IP.sub("[ip]", word)
    return without if without is word or without.startswith("[ip]") else _NAMED.sub("[ip]", without)
