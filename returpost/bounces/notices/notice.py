"""A mail taken apart: what a program wrote, the machine-readable parts, and the message that came back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from returpost.bounces.mime import html, tree
from returpost.bounces.mime.addresses import address
from returpost.bounces.mime.tree import lazy
from returpost.bounces.notices import auto_replies, bounce_detection, families, original_message, prose
from returpost.contracts.enums import Kind

STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
COMPLAINT_TYPE = "message/feedback-report"
_ATTACHED = ("application/octet-stream", "text/plain", "text/rfc822-headers", "message/report")
_FIRST_FIELD = re.compile(rb"(?i)\s{0,20}reporting-mta[ \t]{0,9}:")
_STATUS_FIELDS = (b"final-recipient", b"reporting-mta", b"original-recipient", b"action:")
_QUOTED = re.compile(r"(?m)^(?:>|> .*)$")
"""Lines that somebody quotes; `>>>` is what an MTA said."""
MAX_RECOGNISED = 16_384
"""Characters in which the words of a notice are looked for."""


@dataclass(eq=False)
class Notice:
    """A mail as its reader sees it. `text` is what stands before the returned message, `original` that one's headers
    by lower-case name; `root` is the structure. The rest is made when it is asked for, once."""

    root: tree.Part
    text: str
    original: Mapping[str, str]

    @lazy
    def subject(self) -> str:
        """The subject."""
        return self.root.header("subject")

    @lazy
    def author(self) -> str:
        """The address of who wrote, in lower case; empty when there is none."""
        return (address(self.root.header("from")) or "").lower()

    @lazy
    def statuses(self) -> tuple[tree.Part, ...]:
        """The parts with the machine-readable report, none of a message within; some MTAs make one a recipient."""
        return status_parts(self.root)

    @lazy
    def complaint(self) -> tree.Part | None:
        """The part with the machine-readable report of a reader's complaint."""
        return complaint_part(self.root)

    @lazy
    def recognised(self) -> families.Recognised:
        """What the words say that it is."""
        return families.recognise(f"{self.subject}\n{_QUOTED.sub('', self.text[:MAX_RECOGNISED])}")

    @lazy
    def automatic(self) -> Kind | None:
        """What kind of automatic answer it is, if it is one."""
        return auto_replies.kind_of(self.root, self.subject, self.text)

    @lazy
    def blocks(self) -> list[prose.Block]:
        """The recipients on lines of their own, with what is said of each; never who reports or is reported to."""
        found = prose.blocks(self.text)
        others = [block for block in found if not self.is_ours(block.recipient)]
        # Who mails himself is told so in an MTA's own form, each recipient with what was said of it.
        itself = not others and self.recognised.format is not None
        return [block for block in found if prose.CODED.search(block.detail)] if itself else others

    def is_ours(self, name: str) -> bool:
        """Say whether the address is of those that cannot have failed."""
        lowered = name.lower()
        return lowered in self._own_fields and lowered in self.not_failed

    @lazy
    def _own_fields(self) -> str:
        """The fields that `not_failed` is made of, as one text: what is not in it need not be looked for."""
        texts = [value for name in ("from", "to", "delivered-to") for value in self.root.headers.get(name, ())[:8]]
        return "\n".join((*texts, *(self.original.get(name, "") for name in original_message.SENDER_FIELDS))).lower()

    @lazy
    def not_failed(self) -> frozenset[str]:
        """The addresses that cannot have failed: who reports, whom it is reported to, and who sent the message."""
        mailed = {name.lower() for name in original_message.recipients_of(self.original)}
        own = {self.author, *self.senders} - mailed
        return frozenset(own - {""})

    @lazy
    def senders(self) -> frozenset[str]:
        """The addresses of our own: the report was sent to them, or the returned message came from them."""
        texts = [value for name in ("to", "delivered-to") for value in self.root.headers.get(name, ())[:8]]
        texts += [self.original.get(name, "") for name in original_message.SENDER_FIELDS]
        return frozenset(found.lower() for text in texts if (found := address(text)))

    @lazy
    def is_failure_notice(self) -> bool:
        """Whether it tells of a failed or delayed delivery in prose."""
        return bounce_detection.is_notice(self)


def read(root: tree.Part) -> Notice:
    """Return the notice that the structure holds."""
    text, copy = prose.cut(readable(root))
    original = original_message.headers_of(root)
    if not original and copy:
        original = original_message.flat(tree.headers(copy.partition("\n\n")[0]))
    return Notice(root, text, original)


def readable(root: tree.Part) -> str:
    """Return the text that stands before the returned message; HTML only where there is no plain text."""
    plain, rich = [], []
    for part in root.walk():
        type_ = part.content_type
        if type_ in original_message.MESSAGE_TYPES or type_ in original_message.HEADER_TYPES:
            break
        if type_ == "text/html":
            rich.append(part)
        elif (
            type_.startswith("text/")
            or (type_.startswith("multipart/") and not part.parts)
            or (type_ in STATUS_TYPES and not part.parts and not _has_status(part))
        ):
            plain.append(part)
    text = "\n".join(part.text for part in plain[:4])
    if not text.strip():
        text = "\n".join(html.text_of(part.text) for part in rich[:2])
    return text.replace("\xa0", " ") if "\xa0" in text else text


def _has_status(part: tree.Part) -> bool:
    beginning = part.data[:4096].lower()
    return any(field in beginning for field in _STATUS_FIELDS)


def status_parts(root: tree.Part) -> tuple[tree.Part, ...]:
    """Return the parts with a machine-readable report on a delivery."""
    parts = root.walk()
    return tuple(part for part in parts if part.content_type in STATUS_TYPES) or tuple(
        part for part in parts if _is_unlabelled(part)
    )


def complaint_part(root: tree.Part) -> tree.Part | None:
    """Return the part with a machine-readable complaint."""
    return next((part for part in root.walk() if part.content_type == COMPLAINT_TYPE), None)


def _is_unlabelled(part: tree.Part) -> bool:
    """Say whether the part is a report that a gateway has made a plain attachment of (`details.txt`)."""
    if part.parts or "content-disposition" not in part.headers or part.content_type not in _ATTACHED:
        return False
    return bool(_FIRST_FIELD.match(part.data))
