"""Who was mailed, when no field and no line of the report says so: the return path, then guesses, each named as one.

Less trusted never goes before more trusted (`RecipientSource`), and nobody who sends or reports is ever taken.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

import re2

from returpost.bounces.frames import transcript
from returpost.bounces.mime import tree
from returpost.bounces.mime.addresses import address
from returpost.bounces.notices import original_message, prose
from returpost.bounces.notices.families import MTAS
from returpost.bounces.notices.notice import Notice
from returpost.bounces.reports.report import Named
from returpost.bounces.return_paths import Envelope, ReturnPaths
from returpost.contracts.enums import Command, RecipientSource
from returpost.linear_patterns import searcher

MAX_NOTICE = 16_384
"""Characters in which the transcript of a session is looked for."""
MAX_LOCAL_NAMES = 100
FAILED_HEADERS = ("x-failed-recipients", "x-failed-recipient", "x-actual-recipient")
_ENVELOPE = ("delivered-to", "x-delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-rcpt-to", "to")
_FOR = re2.compile(r"\bfor\s+<?([^\s<>;]+@[^\s<>;]+)>?")
_leads_to_recipients = searcher(
    r"(?i)(?:following|these) (?:recipients?|users?|addresse?s?)|not (?:be )?delivered to"
    r"|deliver(?:y|ed)? to the following"
    r"|could not be delivered"
)
_LOCAL_NAME = re.compile(r"[ \t]{1,20}([a-z0-9][a-z0-9._+-]{0,63})(?:[ \t]{2,}\S.{0,200}|[ \t]{0,20})\Z", re.IGNORECASE)
_ROLES = re.compile(
    r"(?:postmaster|abuse|mailer-daemon|hostmaster|webmaster|help-?desk|support|no-?reply|do-?not-?reply|hjelp|bounces?)"
    r"(?:\+[^@]{0,64})?@"
)
"""Whom notices name for those who have questions."""


def envelope_of(
    root: tree.Part, original: Mapping[str, str], paths: ReturnPaths, sent_to: Sequence[str] = ()
) -> Envelope:
    """Return what the address that the report was sent to tells, or the returned message's return path."""
    fields = root.headers
    values = [value for name in _ENVELOPE if name in fields for value in fields[name][:8]]
    lines = (line for line in fields.get("received", ())[:4] if paths.may_tell(line))
    received = (path for line in lines for path in _FOR.findall(line))
    for value in (*sent_to, *values, *received, original.get("return-path", "")):
        if not paths.may_tell(value):
            continue
        path = address(value)
        if path and (envelope := paths.read(path)).told:
            return envelope
    return Envelope()


def failed(notice: Notice) -> list[Named]:
    """Return the addresses of the headers that state who failed."""
    values = [value for name in FAILED_HEADERS for value in notice.root.headers.get(name, ())]
    found = (address(text) for value in values for text in value.split(",")[:10_000])
    return [Named(name, RecipientSource.FAILED_HEADER) for name in dict.fromkeys(filter(None, found))]


def otherwise(notice: Notice, envelope: Envelope) -> list[Named]:
    """Return who was mailed when no line names anybody: the return path's, then guesses; none is one of ours."""
    if envelope.recipient:
        return [by_return_path(notice, envelope)]
    for _, name in prose.destined(notice.text):
        if _may_have_failed(name, notice):
            return [Named(name, RecipientSource.PROSE)]
    if refused := _refused_in_transcript(notice):
        return [refused]
    if locals_ := _without_domain(notice):
        return locals_
    mailed = [name for name in _mailed(notice) if _may_have_failed(name, notice)]
    told = notice.text if "@" in notice.text else notice.subject
    named = [name for name in dict.fromkeys(prose.mentioned(told)) if _may_have_failed(name, notice)]
    known = {name.lower() for name in mailed}
    if shared := [name for name in named if name.lower() in known]:
        return [Named(name, RecipientSource.MENTION) for name in shared]
    if mailed:
        return [Named(name, RecipientSource.RETURNED_MESSAGE) for name in mailed]
    return [Named(name, RecipientSource.MENTION) for name in named if not _ROLES.match(name.lower())]


def by_return_path(notice: Notice, envelope: Envelope) -> Named:
    """Return what the return path tells. A pattern may take a number for part of the name: a name that ends it and that
    the mail knows is meant."""
    recipient = str(envelope.recipient)
    if envelope.claim:
        return Named(recipient, RecipientSource.SIGNED_RETURN_PATH)
    lowered = recipient.lower()
    for name in (*original_message.recipients_of(notice.original), *prose.mentioned(notice.text)):
        if lowered.endswith(name.lower()) and lowered[-len(name) - 1 : -len(name)] in ("", "-", "+", ".", "_"):
            return Named(name, RecipientSource.VERP)
    return Named(recipient, RecipientSource.VERP)


def mailed_by(notice: Notice, envelope: Envelope) -> Named | None:
    """Return who was mailed, whoever failed: what a signed return path says, or a pattern and the message together."""
    if not envelope.recipient:
        return None
    named = by_return_path(notice, envelope)
    if envelope.claim:
        return named
    lowered = named.recipient.lower()
    sent_to = (name.lower() for name in original_message.recipients_of(notice.original))
    return named if lowered in sent_to else None


def completing(unreadable: str, notice: Notice) -> Named | None:
    """Return the address that what a report names without its domain is part of: of those that the mail knows."""
    local = unreadable.partition("@")[0].strip().strip("\"'<>").lower()
    if not local:
        return None
    for name in (*(block.recipient for block in notice.blocks), *original_message.recipients_of(notice.original)):
        if name.partition("@")[0].lower() == local and name.lower() not in notice.senders:
            return Named(name, RecipientSource.FINAL_RECIPIENT)
    return None


def all_named(notice: Notice, stated: Sequence[str]) -> Iterator[str]:
    """Yield every address that the report or the returned message names, to be compared with a hash."""
    yield from stated
    yield from original_message.recipients_of(notice.original)
    yield from prose.mentioned(notice.text)


def _refused_in_transcript(notice: Notice) -> Named | None:
    """Return whom the RCPT was for that the transcript of the session shows refused."""
    text = notice.text[:MAX_NOTICE]
    if "<<<" not in text and "<-" not in text:
        return None
    turn = transcript.refusal(text)
    if turn is None or turn.command is not Command.RCPT or not (name := address(turn.recipient)):
        return None
    at = text.lower().find(turn.recipient)
    name = (address(text[at : at + len(turn.recipient)]) if at >= 0 else None) or name
    return Named(name, RecipientSource.TRANSCRIPT) if _may_have_failed(name, notice) else None


def _without_domain(notice: Notice) -> list[Named]:
    """Return those that a server names without its own domain, as guesses: it may speak for another one. A server that
    reports under the name of a host tells no domain."""
    domain = notice.author.rpartition("@")[2]
    if domain.count(".") != 1 or not any(name in notice.root.header("from").lower() for name in MTAS):
        return []
    names = [completing(name, notice) or address(f"{name}@{domain}") for name in _local_names(notice.text)]
    return [
        named if isinstance(named, Named) else Named(named, RecipientSource.MENTION)
        for named in names[:MAX_LOCAL_NAMES]
        if named
    ]


def _local_names(notice: str) -> Iterator[str]:
    """Yield the names without a domain that stand on lines of their own below a line that leads up to recipients."""
    leads = False
    for line in notice.split("\n")[: prose.MAX_LINES]:
        if line.rstrip().endswith(":"):
            leads = _leads_to_recipients(line.encode()) is not None
        elif leads and line.strip():
            if not (named := _LOCAL_NAME.match(line)):
                return
            yield named[1]


def _mailed(notice: Notice) -> list[str]:
    """Return whom the returned message was for; a list's own address tells nobody."""
    if any(name in notice.original for name in original_message.LIST_FIELDS):
        return []
    return list(dict.fromkeys(original_message.recipients_of(notice.original)))


def _may_have_failed(name: str, notice: Notice) -> bool:
    lowered = name.lower()
    return lowered not in notice.senders and lowered != notice.author and not lowered.startswith("mailer-daemon@")
