"""Why a mailing is paused, or what it came close to; said at its top, with the button that resumes it."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from services.console.api_client import Trouble
from services.console.components.dialogs.dialog import Dialog
from services.console.components.field import Field
from services.console.components.markup import Tag, button, icon, notice
from services.console.components.shell import Visitor, reload
from services.console.i18n import gettext_noop as _

MOST_WHY = 1_000
KINDS = {
    "hard_bounces": _("{share} hard bounces: {count} of {of} recipients; the limit is {limit}."),
    "complaints": _("{share} spam complaints: {count} of {of} recipients; the limit is {limit}."),
    "sender_faults": _("{share} refused because of the sender: {count} of {of} recipients; the limit is {limit}."),
}


def show(visitor: Visitor, place: str, found: Mapping[str, Any]) -> None:
    """Draw the pause of a mailing, or the warnings; `place` is the path of the mailing."""
    pause, breaches = found["pause"], found["breaches"]
    if pause is not None and pause["paused"]:
        _paused(visitor, place, pause, breaches)
    elif breaches:
        _warned(visitor, breaches)


def _paused(visitor: Visitor, place: str, pause: Mapping[str, Any], breaches: list[dict[str, Any]]) -> None:
    t, texts = visitor.t, visitor.texts
    box = Tag("div")
    with box, Tag("section", "notice bad", role="status"):
        icon("warning")
        with Tag("div", "stack"):
            Tag("strong", text=t("Paused since {when}", when=texts.time(pause["since"])))
            if pause["kind"] is None:
                Tag("p", text=t("By {who}: {why}", who=pause["by"], why=pause["why"]))
            for breach in breaches:
                if breach["level"] == "pause":
                    Tag("p", text=_told(visitor, breach))
            Tag("p", text=t("The sending system was told to stop. Retries wait until the mailing is resumed."))
            if visitor.may("write"):
                with Tag("div", "row"):
                    button(t("Resume the mailing"), partial(_ask, visitor, place, box))


def _warned(visitor: Visitor, breaches: list[dict[str, Any]]) -> None:
    worst = {breach["kind"]: breach for breach in sorted(breaches, key=lambda one: str(one["level"]), reverse=True)}
    notice(
        "warn",
        visitor.t("This mailing does worse than it should."),
        " ".join(_told(visitor, one) for one in worst.values()),
    )


def _told(visitor: Visitor, breach: Mapping[str, Any]) -> str:
    texts, share = visitor.texts, breach["count"] / breach["of_results"]
    text = KINDS[breach["kind"]]
    told = visitor.t(
        text,
        share=texts.percent(share, 2),
        count=texts.number(breach["count"]),
        of=texts.number(breach["of_results"]),
        limit=texts.percent(breach["threshold"], 2),
    )
    if breach["scope"] == "tenant":
        told += " " + visitor.t("Counted over all mailings, since this one is small.")
    return told


def _ask(visitor: Visitor, place: str, box: Tag) -> None:
    t = visitor.t
    with box:
        dialog = Dialog(visitor, t("Resume the mailing"))
    with dialog.body:
        Tag("p", "quiet", t("The sending system goes on, and what has paused the mailing does not pause it again."))
        why = Field(t("Why"), "text", maxlength=MOST_WHY, autofocus=True)
        said = Tag("div", aria_live="polite")
    with dialog.foot:
        dialog.cancel_button()
        button(t("Resume"), partial(_resume, visitor, place, dialog, why, said), "primary")


async def _resume(visitor: Visitor, place: str, dialog: Dialog, why: Field, said: Tag) -> None:
    text = str(why.value).strip()
    if not text:
        why.wrong(visitor.t("Enter a reason."))
        return
    said.clear()
    with said:
        try:
            await visitor.api.call("actions", "POST", f"/v1{place}/resume", body={"why": text})
        except Trouble as trouble:
            notice("bad", *visitor.trouble(trouble))
            return
    dialog.close()
    reload(visitor)
