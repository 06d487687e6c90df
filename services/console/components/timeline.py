"""What happened to an address or a person, newest first."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.console.components.markup import Tag
from services.console.components.shell import PARTS, Visitor
from services.console.i18n import gettext_noop as _, reasons

WHAT = {
    "sent": (_("Sent"), "calm"),
    "delivered": (_("Delivered"), "good"),
    "opened": (_("Opened"), "good"),
    "bounced": (_("Bounced"), "warn"),
    "returned": (_("Bounced"), "warn"),
    "hard_bounced": (_("Hard bounce"), "bad"),
    "soft_bounced": (_("Soft bounce"), "warn"),
    "complained": (_("Spam complaint"), "bad"),
    "unsubscribed": (_("Unsubscribed"), "calm"),
    "blocked": (_("Blocked"), "bad"),
    "unblocked": (_("Block lifted"), "good"),
    "cleared": (_("Bounce-flag cleared"), "good"),
    "corrected": (_("Address corrected"), "good"),
    "imported": (_("Imported"), "calm"),
    "changed": (_("Changed"), "calm"),
    "former_employee": (_("Set as former employee"), "calm"),
    "former employee": (_("Set as former employee"), "calm"),
}


def timeline(visitor: Visitor, lines: Sequence[Mapping[str, Any]]) -> None:
    """Draw the lines: each has a time, what happened, and as far as known who, why and in which mailing."""
    texts, t = visitor.texts, visitor.t
    if not lines:
        Tag("p", "quiet", t("No events yet."))
        return
    several = len({str(line.get("address") or "").lower() for line in lines}) > 1
    with Tag("ol", "timeline"):
        for line in lines:
            kind = str(line.get("what") or line.get("kind") or "")
            title, tone = WHAT.get(kind, (kind, "calm"))
            with Tag("li", tone):
                Tag("time", text=texts.time(line["time"]), title=texts.full_time(line["time"]))
                Tag("strong", text=t(title))
                if several and line.get("address") and not line.get("corrected_from"):
                    Tag("p", text=str(line["address"]))
                if parts := _parts(visitor, line):
                    Tag("p", "quiet", " · ".join(parts))


def _parts(visitor: Visitor, line: Mapping[str, Any]) -> list[str]:
    texts, t = visitor.texts, visitor.t
    changed = (
        t("from {old} to {new}", old=line["corrected_from"], new=line["address"]) if line.get("corrected_from") else ""
    )
    found = [changed, reasons.title(texts, line.get("reason")), reasons.word(texts, reasons.CAUSES, line.get("cause"))]
    if line.get("mailing"):
        found.append(t("Mailing {mailing}", mailing=line["mailing"]))
    if line.get("rule"):
        found.append(t("Rule {rule}", rule=line["rule"]))
    if who := line.get("by") or line.get("who"):
        found.append(_who(visitor, str(who)))
    if line.get("note"):
        found.append(str(line["note"]))
    return list(dict.fromkeys(filter(None, found)))


def _who(visitor: Visitor, by: str) -> str:
    """Return who did it: a user or a system by its name; the services do what they do by themselves."""
    if by.startswith("/returpost/") or by in PARTS:
        return visitor.t("automatically")
    return visitor.t("By {who}", who=by.removeprefix("/users/"))
