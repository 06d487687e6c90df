"""When mailings are paused: shares of bounces, complaints and refusals, tried out on past mailings before a change."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from services.console.api_client import Trouble
from services.console.components.dialogs.dialog import Dialog
from services.console.components.field import Field
from services.console.components.markup import Tag, button, notice
from services.console.components.shell import Visitor
from services.console.i18n import gettext_noop as _

PATH = "/v1/stop-signals"
MOST_SHOWN = 5
KINDS = {
    "hard_bounces": _("Hard bounces"),
    "complaints": _("Spam complaints"),
    "sender_faults": _("Refused because of the sender"),
}
LEVELS = {"warning": _("Warn from (per cent)"), "pause": _("Pause from (per cent)")}
NUMBERS = {"least_results": (1, 100_000_000), "window_hours": (1, 720)}


def percent(share: float | None) -> str:
    """Return a share as it is typed; empty for none."""
    return "" if share is None else f"{share * 100:.10g}"


def share(text: str) -> float | None:
    """Return what was typed in per cent as a share, none for nothing. Raises `ValueError`."""
    written = text.strip().replace(",", ".")
    if not written:
        return None
    if not re.fullmatch(r"\d{1,3}(\.\d{1,6})?", written) or not 0 < float(written) <= 100:
        raise ValueError(text)
    return round(float(written) / 100, 10)


async def show(visitor: Visitor) -> None:
    """Draw the thresholds."""
    with Tag("div", "cards after-cards"), Tag("section", "card stack", data_guarded="") as card:
        Form(visitor, card, await visitor.api.get("actions", PATH)).show()


class Form:
    """The thresholds that are edited."""

    def __init__(self, visitor: Visitor, card: Tag, known: Mapping[str, Any]) -> None:
        self._visitor, self._card, self._known = visitor, card, known
        self._told_times = 0
        t = visitor.t
        Tag("h2", text=t("When mailings are paused"))
        Tag("p", "quiet", t("Shares of the recipients of a mailing. A paused mailing waits until somebody resumes it."))
        self._fields = Tag("div", "stack fields")
        self._said = Tag("div", aria_live="polite")
        self._foot = Tag("div", "row")

    def show(self) -> None:
        """Draw it as the thresholds are now."""
        t = self._visitor.t
        off: dict[str, Any] = {"disabled": not self._visitor.may("administer")}
        self._wanted: dict[str, Any] = {name: self._known[name] for name in (*KINDS, *NUMBERS)}
        self._wrong: set[str] = set()
        self._fields.clear()
        self._foot.clear()
        with self._fields:
            for kind, title in KINDS.items():
                with Tag("fieldset", "row"):
                    Tag("legend", text=t(title))
                    for level, label in LEVELS.items():
                        held = percent(self._known[kind][level])
                        field = Field(t(label), "text", held, inputmode="decimal", **off)
                        field.on_typed(partial(self._share, kind, level, field))
            labels = {"least_results": t("Recipients at least"), "window_hours": t("Hours that count")}
            for name, (least, most) in NUMBERS.items():
                field = Field(labels[name], "number", self._known[name], min=least, max=most, **off)
                field.on_typed(partial(self._number, name, field))
        with self._foot:
            if self._visitor.may("administer"):
                self._button = button(t("Preview and save"), self._try)
                self._badge = Tag("span", "badge warn", t("Not saved"))
        self._mark()

    def _share(self, kind: str, level: str, field: Field, typed: str) -> None:
        name = f"{kind}.{level}"
        try:
            self._wanted[kind] = self._wanted[kind] | {level: share(str(typed))}
        except ValueError:
            self._wrong.add(name)
            field.wrong(self._visitor.t("A number above 0 and up to 100; empty: never."))
        else:
            self._wrong.discard(name)
            field.wrong("")
        self._mark()

    def _number(self, name: str, field: Field, typed: str) -> None:
        (least, most), text = NUMBERS[name], str(typed).strip()
        good = text.isdecimal() and least <= int(text) <= most
        field.wrong("" if good else self._visitor.t("A whole number from {least} to {most}.", least=least, most=most))
        if good:
            self._wanted[name] = int(text)
            self._wrong.discard(name)
        else:
            self._wrong.add(name)
        self._mark()

    def _mark(self) -> None:
        """Show whether something is not saved; the page asks before it is left then."""
        changed = bool(self._wrong) or any(self._known[name] != value for name, value in self._wanted.items())
        self._told_times += 1
        self._card.props["data-told"] = str(self._told_times)
        self._card.props["data-unsaved"] = "" if changed else None
        self._card.update()
        if self._visitor.may("administer"):
            self._badge.set_visibility(changed)
            self._button.classes(**({"add": "primary"} if changed else {"remove": "primary"}))

    async def _try(self) -> None:
        visitor, t = self._visitor, self._visitor.t
        self._said.clear()
        with self._said:
            if self._wrong:
                notice("bad", t("Nothing was saved."), t("Correct the marked fields first."))
                return
            dialog = Dialog(visitor, t("Effect of the change"))
        with dialog.body:
            try:
                found = await visitor.api.call("actions", "POST", f"{PATH}/preview", body=self._wanted)
            except Trouble as trouble:
                notice("bad", *visitor.trouble(trouble))
                return
            _effect(visitor, found)
        with dialog.foot:
            dialog.cancel_button()
            button(t("Save"), partial(self._save, dialog), "primary")

    async def _save(self, dialog: Dialog) -> None:
        headers = {"If-Match": f'"{self._known["version"]}"'}
        with dialog.body:
            try:
                self._known = await self._visitor.api.call("actions", "PUT", PATH, body=self._wanted, headers=headers)
            except Trouble as trouble:
                notice("bad", *self._visitor.trouble(trouble))
                return
        dialog.close()
        self.show()
        with self._said:
            notice("good", self._visitor.t("Saved."))


def _effect(visitor: Visitor, found: Mapping[str, Any]) -> None:
    """Say what the thresholds would have done to past mailings."""
    texts, t = visitor.texts, visitor.t
    if not found["mailings"]:
        Tag("p", text=t("There are no mailings of the last 90 days to try it out on."))
        return
    looked = texts.tn(
        "Tried out on {n} mailing of the last 90 days:", "Tried out on {n} mailings of the last 90 days:",
        found["mailings"],
    )  # fmt: skip
    Tag("p", text=looked)
    numbers = {name: texts.number(found["would_be"][name]) for name in ("warned", "paused")}
    before = {name: texts.number(found["now"][name]) for name in ("warned", "paused")}
    with Tag("ul"):
        warned = t("{n} warned of (now {before})", n=numbers["warned"], before=before["warned"])
        Tag("li", text=warned)
        paused = t("{n} paused (now {before})", n=numbers["paused"], before=before["paused"])
        Tag("li", text=paused)
    shown = [one for one in found["items"] if any(row["level"] == "pause" for row in one["crossed"])][:MOST_SHOWN]
    if shown:
        with Tag("ul", "small"):
            for one in shown:
                name = one["name"] or one["mailing"]
                unsent, sent = texts.number(one["unsent"]), texts.number(one["sent"])
                Tag("li", text=t("{name}: {unsent} of {sent} not sent to", name=name, unsent=unsent, sent=sent))
