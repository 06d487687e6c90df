"""What rules see of a reply: its words, without what differs from mail to mail. All in time linear to the text."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from returpost.bounces.frames import unwrap_marked
from returpost.bounces.rules.provider_codes import joined
from returpost.bounces.smtp_reply import codes_of
from returpost.contracts import Evidence
from returpost.contracts.enums import Command, RecipientSource

MAX_TEXT = 4_000
"""Characters of a text that are looked at; what decides stands at the beginning."""
_CLASSES = "245"
"""What codes and statuses begin with."""
_AFTER_CODE = " :"
_CODE = re.compile(r"[245]\d\d")
_STATUS = re.compile(r"#?[245]\.\d{1,3}\.\d{1,3}:?")
_CODE_ALONE = re.compile(r"[245]\d\d-(?!#?[245]\.\d)")
_CHANGES = frozenset("0123456789@")
_NO_ADDRESS = r"""\s<>()\[\],;:"'@"""
_ADDRESS = re.compile(rf"<?(?<![^{_NO_ADDRESS}])[^{_NO_ADDRESS}]+@[^{_NO_ADDRESS}]+(?<!\.)>?")
_REPLY_CODE = re.compile(r"\b[45]\d\d\b")
_ADDRESS_IN_LINK = re.compile(r"[^/=&?;@]+@[^/=&?;]+")
MIN_ID = 8
_ID = re.compile(r"\W*(?:[a-z]*\d[a-z0-9]*(?<=[a-z0-9]{8})|[0-9a-f]{4,}(?:-[0-9a-f]{4,}){2,})\W*")
_IP = re.compile(r"\[?(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])\]?(?::\d+)?")
_WORD = re.compile(r"(?<![<\[])[^\W\d_]{2,}")
_NAMED = re.compile(r"^[a-z0-9-]*\.[a-z0-9.-]*\[ip\]")
_FOLDED = re.compile(r"[ \t]*\r?\n[ \t]+|[ \t]{2,}|\t")
"""A line that goes on in the next (RFC 5322 section 2.2.3), and blanks that are more than one."""
_CONTINUATION = r"[ \t]*\r?\n%s[- ](?:#?[245]\.\d{1,3}\.\d{1,3} )?"
"""Where the next line of a reply begins, after its code has been put in (RFC 5321 section 4.2.1)."""
_OF_SENDER = re.compile(r"(?i)sender|return.path|mail from|callback|callout")
"""Before a quoted reply within a reply: it answers a verification of who sends."""

_BEFORE_HOST = re.compile(
    r"^(?:blocked|rejected|refused|denied|banned|listed|from|for|of|by|at|to|in|on|ip|host|client|address|is|connect|server"
    r"|mta|accepted|allowed|service|network|range|lookup|resolve|via|with|and|or|the|your|this|abuse|spam|[^\w<>@]*)$|[:=(,-]$"
)
_TELLING_LINK = re.compile(
    r"spamhaus|returnc|google|spf|dmarc|dkim|block|list|rbl|err|reputation|spam|policy|proofpoint|postmaster\.free|smtplf|#|\?"
)
_TICKET = re.compile(r"(?=(?:\D*\d){4})[0-9a-f.:-]{8,}")
"""An id of the session in hexadecimal digits, in parts."""

_TOKEN = re.compile(r"(?<![\w@./=&?-])[a-z]{2,20}(?:_[a-z]{2,20}){1,6}(?![\w@./=-])", re.IGNORECASE)
"""Words that a program joins: `MAILBOX_FULL`."""

_LIST = RecipientSource.EXPANSION
"""The reply names who failed, which is not who was mailed."""

_new = tuple.__new__
"""Makes what has names in a third of the time: one is made of each text."""


class NormalizedReply(NamedTuple):
    """All that a verdict is made of: the same always gets the same, whoever it was said to."""

    text: str
    """What the server that refused said, as `readable` gives it: nothing of what a reporting MTA wraps round it."""
    status: str | None
    reply_code: int | None
    command: Command | None
    """The command that the reply answers, when the report or the frame of the reply tells it."""
    report: bool
    """A bounce mail told it, not a sender, a log or a webhook."""
    guessed: bool
    """Whom it is about was guessed."""
    hosts: tuple[int, ...]
    """Which of the patterns for hosts, by number, are in the names of the MTAs."""
    codes: str = ""
    """What the provider itself says: `sendgrid: bounce/blocked/content`."""
    suppressed: bool = False
    """The provider sent nothing, for an earlier failure."""


def normalized(evidence: Evidence, named: Callable[[str | None, str | None], tuple[int, ...]]) -> NormalizedReply:
    """Return what rules look at: the remote reply, out of its frame. `named` gives the numbers of hosts' patterns.

    What the reply itself says of code, status and command goes before what was told about it: a reporting MTA puts
    codes of its own where the reply has others.
    """
    text, code, status, command = evidence.diagnostic, evidence.reply_code, evidence.status, evidence.command
    remote_mta = evidence.remote_mta
    if "\n" in text or "\t" in text or "  " in text:
        text = _FOLDED.sub(" ", _one_sentence(text[:MAX_TEXT]))
    remote = unwrap_marked(text)
    if remote is not None and remote.frames and not _answers_callback(text, remote.text):
        inner_code, inner_status = codes_of(remote.text)
        if inner_code is not None and not (code is not None and 400 <= code < 500):
            code = inner_code
        if inner_status is not None:
            status = inner_status
        elif status is not None and inner_code is not None and status in text:
            status = None
        text, command, remote_mta = remote.text, remote.command or command, remote_mta or remote.host
    elif status is not None and status[1:] == ".0.0" and (told := codes_of(text)[1]) is not None:
        status = told
    if "_" in text:
        text = _TOKEN.sub(lambda found: found[0].replace("_", " "), text[:MAX_TEXT])
    words = readable(text)
    if words[:1] in _CLASSES:
        words, leading = _without_code(words)
        code = leading if code is None else code
    source, reporting_mta, provider = evidence.recipient_source, evidence.reporting_mta, evidence.provider
    seen = (
        words, status, code, command, evidence.format != "smtp",
        source is not None and source.guessed and (source is _LIST or not _names_recipient(evidence)),
        named(remote_mta, reporting_mta) if remote_mta or reporting_mta else (),
        joined(provider, evidence.provider_codes) if provider else "", evidence.suppressed,
    )  # fmt: skip
    return _new(NormalizedReply, seen)


def _one_sentence(text: str) -> str:
    """Join the lines of a reply; a code within a sentence looks like the reply of somebody else."""
    if text[3:4] == "-" and _CODE.match(text):
        return re.sub(_CONTINUATION % text[:3], " ", text)
    return text


def _answers_callback(text: str, inner: str) -> bool:
    """Tell whether the reply within the reply is that of a server that was asked whether the sender exists."""
    return bool(_CODE.match(text) and _OF_SENDER.search(text[: text.find(inner[:40])]))


def _names_recipient(evidence: Evidence) -> bool:
    """Tell whether the reply itself names the recipient, after its code: then nobody need guess."""
    code, named = _REPLY_CODE.search(evidence.diagnostic), evidence.final_recipient
    return code is not None and named is not None and f"<{named}>".lower() in evidence.diagnostic[code.end() :].lower()


def _without_code(text: str) -> tuple[str, int | None]:
    """Return the text without the code that it begins with, and that: it is a field of its own."""
    code = None
    while text[:1] in _CLASSES and text[3:4] in _AFTER_CODE and _CODE.match(text):
        code = code or int(text[:3])
        text = text[4:].lstrip()
    return text, code


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
    for place, only_letters in enumerate(map(str.isalpha, words)):
        if only_letters or _CHANGES.isdisjoint(word := words[place]):
            continue
        if word[0] in _CLASSES and (len(word) == 3 or word[3:4] == "-") and _CODE.match(word):
            _leave_codes_out(words, place)
        else:
            words[place] = _without_names(word)
    if first[3:4] == "-" and _CODE.match(first):
        words = [word for word in words if word != first[:3]]
        # With a status, code and status are left out; a code alone stands before the words, as in a reply of one line.
        if _CODE_ALONE.match(first):
            words.insert(0, first[:3])
    while len(words) > 2 and _of_no_meaning(words):
        words.pop()
    return " ".join(filter(None, words))


def _of_no_meaning(words: Sequence[str]) -> bool:
    """Tell whether the last word is an id, a link or a host's address that no sentence speaks of."""
    last = words[-1]
    if not last:
        return True
    if last.isalpha() and last[0] != "h":
        return False
    if last == "[ip]":
        return not _BEFORE_HOST.search(words[-2])
    if last == "#" or _TICKET.fullmatch(last):
        return True
    return last.startswith("http") and not _TELLING_LINK.search(last)


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
    return bool(reply.codes) or _WORD.search(reply.text) is not None


def _without_names(word: str) -> str:
    if word.isalnum() and word.isascii():
        return "#" if len(word) >= MIN_ID else word
    if "@" in word:
        if word.startswith("http"):
            return _ADDRESS_IN_LINK.sub("<@>", word)
        return _ADDRESS.sub("<@>", word)
    if _ID.fullmatch(word):
        return "#"
    if word.count(".") < 3:
        return word
    without = _IP.sub("[ip]", word)
    return without if without is word or without.startswith("[ip]") else _NAMED.sub("[ip]", without)
