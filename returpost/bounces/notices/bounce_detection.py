"""Whether a mail is the notice of a failed or delayed delivery, when nothing machine-readable in it says so."""

import re
from typing import TYPE_CHECKING

from returpost.bounces.mime.addresses import address
from returpost.bounces.notices import families, original_message, prose
from returpost.contracts.enums import Kind
from returpost.linear_patterns import searcher

if TYPE_CHECKING:
    from returpost.bounces.notices.notice import Notice

FAILED_HEADERS = ("x-failed-recipients", "x-failed-recipient", "x-actual-recipient")
_RETURNED = frozenset(("message-id", "received", "return-path", "mime-version", "dkim-signature"))
"""Headers that a returned message has, and one that a person quotes has not."""
_NOBODY = re.compile(
    r"(?i)\b(?:do[._-]?not[._-]?reply|no[._-]?reply|ne[._-]?pas[._-]?repondre|nicht[._-]?antworten|keine[._-]?antwort"
    r"|(?:svar[._-]?ikke|ikke[._-]?svar)|no[._-]?(?:responder|responda)|nao[._-]?responda|non[._-]?rispondere)"
)
"""Under these addresses programs write, and no person."""
_ANSWERS = re.compile(r"\s*(?:re|sv|aw|vs|fwd?|vb|wg|tr|rv)\s?:", re.IGNORECASE)
_find_digest = searcher(
    r"(?i)(?:quarantined?|spam|junk|held|quarantäne|karantene|karantän|quarantaine|cuarentena|quarentena|quarantena"
    r"|kwarantann\w*|карантин\w*|隔離|隔离)[ -]?(?:e?-?mails?|messages?|nachrichten|meldinger)?"
    r"[ -]?(?:summary|digest|report|list|notification|overview|bericht|zusammenfassung|übersicht|rapport"
    r"|sammendrag|oversikt|resum[eo]n?|informe|通知|報告|报告)"
    r"|(?:summary|digest|report|list|overview|rapport|résumé|resumen|informe|resumo|riepilogo|отч[её]т)"
    r" (?:of|for|de|de la|da|della|о)? ?(?:your |the )?(?:quarantine|spam|held|quarantaine|cuarentena|quarentena"
    r"|quarantena|карантин)"
)
"""What a filter has kept back from its own user: his mails, not ours."""


def is_notice(notice: "Notice") -> bool:
    """Say whether the mail is about a failed or delayed delivery. People write about those too, and quote notices."""
    root, automatic, recognised = notice.root, notice.automatic, notice.recognised
    if automatic in (Kind.UNSUBSCRIBE, Kind.CHALLENGE) or _find_digest(notice.subject.encode()):
        return False
    if any(name in root.headers for name in FAILED_HEADERS):
        return True
    author, path = root.header("from").lower().strip(), root.header("return-path").lower().strip()
    nobody = author in ("", "<>") and "from" in root.headers
    empty_path = path == "<>" or nobody
    if any(part.message_type == "multipart/report" for part in original_message.messages_of(root)):
        return empty_path
    program = any(name in author for name in families.MTAS)
    # Who mails to many has a return path that is named after bounces.
    daemon = nobody or any(name in author for name in families.DAEMONS) or any(name in path for name in families.MTAS)
    said = recognised.said
    if automatic and not daemon:
        return recognised.format is not None and said
    shown = not _RETURNED.isdisjoint(notice.original) or bool(prose.CODED.search(notice.text[:16384]))
    if recognised.format and recognised.format.alone:
        return True
    listed = any(name in root.headers for name in families.LISTS)
    if listed and (program or _is_no_post(notice)):
        # A list has sent on what a program told it.
        return said and (shown or recognised.format is not None or bool(notice.blocks))
    if empty_path or (daemon and not listed):
        if said or (recognised.refused and (daemon or shown)):
            return True
        if recognised.refused and recognised.format is not None and notice.blocks:
            return True
        if shown and (recognised.format is not None or (daemon and (empty_path or not path))):
            return True
        by_program = program or any(name in path for name in families.MTAS)
        return (by_program or (daemon and (empty_path or shown))) and bool(notice.blocks)
    if not said or listed or "in-reply-to" in root.headers:
        return False
    return _is_notice_of_somebody(notice, shown)


def _is_no_post(notice: "Notice") -> bool:
    """Say whether what came through a list is a notice, and no subscriber's letter about one: it answers nobody, its
    subject says that a delivery failed, and a postmaster or a server's own form says of whom."""
    root = notice.root
    if "in-reply-to" in root.headers or "references" in root.headers or _ANSWERS.match(notice.subject):
        return False
    daemon = any(name in root.header("from").lower() for name in families.DAEMONS)
    if not (daemon or notice.recognised.format is not None):
        return False
    named = bool(notice.blocks) or any(prose.destined(notice.text))
    return named and families.recognise(notice.subject).failure


def _is_notice_of_somebody(notice: "Notice", shown: bool) -> bool:
    """Judge what comes from an address that is no program's by name, with words of a failed delivery in it.

    An address of the author's own domain on a line is a failed recipient's only if the notice speaks of recipients or
    shows a reply: whoever writes of a parcel that was not delivered gives the address of a help desk.
    """
    recognised = notice.recognised
    if recognised.format is not None and shown:
        return True
    if not recognised.failure:
        return False
    failed = families.recognise(notice.subject).failure
    if _NOBODY.search(notice.root.header("from")) and _is_told_in_a_sentence(notice, failed):
        return True
    if not failed:
        return False
    own = notice.author.rpartition("@")[2]
    foreign = any(block.recipient.lower().rpartition("@")[2] != own for block in notice.blocks)
    return foreign or (bool(notice.blocks) and (shown or prose.announces(notice.text)))


def _is_told_in_a_sentence(notice: "Notice", failed: bool) -> bool:
    to = address(notice.root.header("to"))
    return any(
        named != to and (failed or families.recognise(sentence).failure)
        for sentence, named in prose.destined(notice.text)
    )
