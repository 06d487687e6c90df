"""The reply of the remote server, taken out of what the reporting server wrapped round it. Linear in the text."""

import re
import tomllib
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from returpost.bounces.frames import transcript
from returpost.bounces.smtp_reply import codes_of
from returpost.contracts.enums import Command
from returpost.linear_patterns import Spans, group_numbers, searcher, words_finder

FRAMES = Path(__file__).with_name("frames.toml")
MAX_TEXT = 16_384
MAX_DEPTH = 6
"""Frames within frames: a relay quotes a relay that quotes the server that refused."""

_COMMANDS = (
    ("rcpt", Command.RCPT),
    ("unknown address", Command.RCPT),  # how Cisco's gateways sum up what was answered to RCPT, and to the message
    ("other mail system", Command.DATA),
    ("does", Command.RCPT),
    ("mail", Command.MAIL),
    ("but sender", Command.MAIL),
    ("sender", Command.MAIL),  # the answer to a verification of who sends
    ("callout", Command.MAIL),
    ("callback", Command.MAIL),
    ("but greeting", Command.CONNECT),
    ("but my name", Command.HELO),
    ("failed", Command.DATA),
    ("data", Command.DATA),
    ("text", Command.DATA),
    ("body", Command.DATA),
    ("final", Command.DATA),
    ("end", Command.DATA),
    ("bdat", Command.DATA),
    ("message", Command.DATA),
    ("dot", Command.DATA),
    (".", Command.DATA),
    ("ehlo", Command.HELO),
    ("helo", Command.HELO),
    ("lhlo", Command.HELO),
    ("hello", Command.HELO),
    ("initial", Command.CONNECT),
    ("connect", Command.CONNECT),
    ("banner", Command.CONNECT),
)
_LEADING_CODE = re.compile(r"[45]\d\d[ -]")


class RemoteReply(NamedTuple):
    """What the server that refused said: `text` begins with the codes where they are known.

    `frames` are the names of the forms that it was taken out of, the outermost first; none when the text is itself the
    reply. `host` and `command` are None when no frame tells them.
    """

    text: str
    host: str | None = None
    command: Command | None = None
    frames: tuple[str, ...] = ()

    @property
    def code(self) -> int | None:
        """The reply code."""
        return codes_of(self.text)[0]

    @property
    def status(self) -> str | None:
        """The enhanced status."""
        return codes_of(self.text)[1]


class _Form(NamedTuple):
    """One frame or trailer: `reply` and the others are the numbers of its groups, 0 where it has no such group."""

    name: str
    marks: tuple[str, ...]
    find: Callable[[bytes], Spans | None]
    after_code: bool
    told: Command | None
    reply: int
    host: int
    code: int
    status: int
    command: int


class _Forms(NamedTuple):
    """All forms in their order, frames first; which may be in a text, its marks tell in one pass."""

    forms: tuple[_Form, ...]
    frames: int
    marks: Callable[[bytes], Sequence[int] | None]
    form_of_mark: tuple[int, ...]

    def in_text(self, text: str) -> tuple[int, ...]:
        """Return the numbers of the forms that may be in the text, in order."""
        found = self.marks(text.lower().encode("utf-8", "replace"))
        return tuple(sorted({self.form_of_mark[mark] for mark in found})) if found else ()


def unwrap(text: str, recipient: str = "") -> RemoteReply:
    """Return the reply in the text; a text in no known frame is itself the reply.

    `recipient` chooses among several in a transcript. Never raises; the time is linear in the text.
    """
    return unwrap_marked(text, recipient) or RemoteReply(text[:MAX_TEXT])


def unwrap_marked(text: str, recipient: str = "") -> RemoteReply | None:
    """Return the same as `unwrap`, and None for a text without a mark of any frame: most are, and one pass tells it."""
    text = text[:MAX_TEXT]
    if not (may_be_in := _forms().in_text(text)):
        return None
    if len(stripped := text.strip()) != len(text):
        text, may_be_in = stripped, _forms().in_text(stripped)
    return _unwrapped(text, recipient if _may_be_transcript(text) else "", may_be_in)


def command_of(words: str) -> Command | None:
    """Return the command that these words of a frame name."""
    lowered = " ".join(words.replace("_", " ").lower().split()).removeprefix("pipelined ")
    return next((command for start, command in _COMMANDS if lowered.startswith(start)), None)


@lru_cache(maxsize=64)
def _unwrapped(text: str, recipient: str, may_be_in: tuple[int, ...]) -> RemoteReply:
    forms = _forms()
    host: str | None = None
    command: Command | None = None
    names: list[str] = []
    for _ in range(MAX_DEPTH):
        inner = _of_transcript(text, recipient) or _of_frame(text, forms, may_be_in)
        if inner is None:
            break
        # What the innermost frame tells stands; the outer ones tell what it leaves out.
        text = inner.text
        host, command = inner.host or host, inner.command or command
        names += inner.frames
        may_be_in = forms.in_text(text)
    text, told, trailers = _without_trailers(text, forms, may_be_in)
    return RemoteReply(text, host, command or told, (*names, *trailers))


def _of_transcript(text: str, recipient: str) -> RemoteReply | None:
    if not _may_be_transcript(text) or (turn := transcript.refusal(text, recipient)) is None:
        return None
    return RemoteReply(turn.reply, transcript.host_of(text), turn.command, ("transcript",))


def _may_be_transcript(text: str) -> bool:
    return "<<<" in text or "<-" in text


def _of_frame(text: str, forms: _Forms, may_be_in: tuple[int, ...]) -> RemoteReply | None:
    data = b""
    for number in may_be_in:
        if number >= forms.frames:
            return None
        form = forms.forms[number]
        data = data or text.encode("utf-8", "replace")
        found = form.find(data)
        if found is None or not (reply := _group(data, found, form.reply).strip()):
            continue
        if text[0] == "4" and reply[0] == "5" and _LEADING_CODE.match(text):
            # A relay that may be asked again, whatever it was told itself.
            return None
        if "_" in reply and " " not in reply:
            reply = reply.replace("_", " ").replace("/", " ").strip()
        if (status := _group(data, found, form.status)) and status not in reply[:40]:
            coded = _LEADING_CODE.match(reply)
            reply = f"{reply[:4]}{status} {reply[4:]}" if coded else f"{status} {reply}"
        if (code := _group(data, found, form.code)) and not reply.startswith(code):
            reply = f"{code} {reply}"
        host, words = _group(data, found, form.host), _group(data, found, form.command)
        return RemoteReply(
            reply,
            host.strip("[]").rstrip(".").lower() if host else None,
            (command_of(words) if words else None) or form.told,
            (form.name,),
        )
    return None


def _group(data: bytes, found: Spans, number: int) -> str:
    """Return what the group matched; nothing when the form has no such group."""
    start, end = found[number] if number else (0, 0)
    return data[start:end].decode("utf-8", "replace") if end > start else ""


def _without_trailers(
    text: str, forms: _Forms, may_be_in: tuple[int, ...]
) -> tuple[str, Command | None, tuple[str, ...]]:
    command: Command | None = None
    names: tuple[str, ...] = ()
    for number in may_be_in:
        form = forms.forms[number]
        if number < forms.frames or (form.after_code and not _LEADING_CODE.match(text)):
            continue
        data = text.encode("utf-8", "replace")
        found = form.find(data)
        if found is None or not (before := data[: found[0][0]].decode("utf-8", "replace").rstrip()):
            continue
        words = _group(data, found, form.command)
        command = command or (command_of(words) if words else None) or form.told
        text = before
        names = (*names, form.name)
    return text, command, names


@cache
def _forms() -> _Forms:
    data = tomllib.loads(FRAMES.read_text(encoding="utf-8"))
    forms = (*map(_form, data["frame"]), *map(_form, data["trailer"]))
    marks = [(mark, number) for number, form in enumerate(forms) for mark in form.marks]
    return _Forms(forms, len(data["frame"]), words_finder(mark for mark, _ in marks), tuple(n for _, n in marks))


def _form(entry: dict[str, Any]) -> _Form:
    pattern = f"(?is){entry['pattern']}"
    groups = group_numbers(pattern)
    return _Form(
        entry["name"],
        tuple(entry["marks"]),
        searcher(pattern, anchored=entry.get("leading", False)),
        entry.get("after_code", False),
        Command(entry["command"]) if "command" in entry else None,
        *(groups.get(name, 0) for name in ("reply", "host", "code", "status", "command")),
    )
