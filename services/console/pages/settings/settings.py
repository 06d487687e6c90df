"""Settings: how many returns are accepted, what each reason does, how long blocks last, when is sent again."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from returpost.contracts.enums import Reason
from services.console.api_client import Trouble
from services.console.components.dialogs.dialog import Dialog
from services.console.components.field import Field
from services.console.components.markup import Tag, button, notice
from services.console.components.shell import Pages, Visitor, heading
from services.console.i18n import gettext_noop as _, reasons
from services.console.pages.settings import retry_schedule

MOST_ACCEPTED, MOST_DAYS = 1000, 3650
MOST_SURE = 100
MOST_WAITING = 30
MOST_LINES = 6
EXAMPLE = "x@example.com"
"""Whose domain stands in the sentences."""
COUNTINGS = {
    "consecutive": _("Bounces since the last delivery"),
    "all": _("All bounces since the bounce-flag was last cleared"),
}
MAY_BLOCK = frozenset(
    {
        Reason.USER_UNKNOWN, Reason.BAD_ADDRESS, Reason.DOMAIN_UNKNOWN, Reason.NOT_ACCEPTING, Reason.MOVED,
        Reason.ACCOUNT_DISABLED, Reason.RECIPIENT_REFUSED, Reason.MAILBOX_FULL,
    }
)  # fmt: skip
"""What may be held against an address at once: the recipient's own; nothing of the sender or the network ever is."""


def add(pages: Pages) -> None:
    """Serve the page."""
    pages.add("/settings", _("Settings"), settings)


async def settings(visitor: Visitor) -> None:
    """Draw the page; each part by itself, so that a service that is away hides no other."""
    t = visitor.t
    heading(t("Settings"), t("They apply to this customer only. The effect of a change is shown before it is saved."))
    form, times = Tag("div"), Tag("div")

    async def blocks() -> None:
        with form, visitor.guarding():
            Form(visitor, await visitor.api.get("blocklist", "/v1/settings")).show()

    async def schedule() -> None:
        with times, visitor.guarding():
            await retry_schedule.show(visitor)

    await asyncio.gather(blocks(), schedule())


def effects(reason: str) -> tuple[str, ...]:
    """Return what a reason may do."""
    if reason == Reason.COMPLAINT:
        return "block", "ignore"
    return ("block", "count", "ignore") if reason in MAY_BLOCK else ("count", "ignore")


class Form:
    """The settings of blocks that are edited."""

    def __init__(self, visitor: Visitor, known: dict[str, Any]) -> None:
        self._visitor, self._known = visitor, known
        self._wanted: dict[str, Any] = {}
        """What was changed here, by its name."""
        self._wrong: set[str] = set()
        self._effects: dict[str, str] = {}
        self._off: dict[str, Any] = {"disabled": not visitor.may("administer")}
        self._place = Tag("div", "cards")
        with Tag("div", "stack after-cards"):
            self._said = Tag("div", aria_live="polite")
            self._foot = Tag("div", "row")

    def show(self) -> None:
        """Draw it."""
        t = self._visitor.t
        with self._place:
            with Tag("section", "card half"):
                self._number()
            with Tag("section", "card half"):
                self._lasting()
            with Tag("section", "card"):
                self._erased()
            with Tag("section", "card"):
                self._reasons()
        with self._foot:
            if self._visitor.may("administer"):
                button(t("Preview and save"), self._try, "primary")
                if self._known["version"]:
                    button(t("Undo the last change"), self._undo, picture="undo")
            else:
                Tag("p", "quiet", t("Only administrators change settings."))
            self._changed = Tag("p", "quiet small", self._who())

    def _who(self) -> str:
        known, texts = self._known, self._visitor.texts
        if not known["changed_by"]:
            return ""
        return texts.t("Last changed by {who}, {when}.", who=known["changed_by"], when=texts.time(known["changed_at"]))

    def _number(self) -> None:
        t = self._visitor.t
        Tag("h2", text=t("Number of accepted bounces before email address is disabled"))
        with Tag("div", "stack fields"):
            help_ = t("An address is blocked by the bounce after these.")
            label = t("Accepted bounces")
            self._whole("accepted_bounces", label, help_, least=0, most=MOST_ACCEPTED)
            choices = {value: t(text) for value, text in COUNTINGS.items()}
            told = partial(self._set, "counting")
            Field(t("What is counted"), "select", self._known["counting"], choices=choices, on_typed=told, **self._off)
            help_ = t("Days after which a bounce no longer counts. Empty: never.")
            self._whole("decay_days", t("Bounces count for"), help_, least=1, most=MOST_DAYS, empty=True)
            self._share()
            once = t("Count at most one bounce a day for an address")
            Field(once, "checkbox", self._known["once_a_day"], on_typed=partial(self._set, "once_a_day"), **self._off)

    def _share(self) -> None:
        """The confidence from which on a dead address blocks at once, in per cent."""
        t = self._visitor.t

        def typed(value: str) -> None:
            text = str(value).strip()
            good = text.isdecimal() and 0 <= int(text) <= MOST_SURE
            self._judge("dead_confidence", int(text) / 100 if good else None, field, good=good, limits=(0, MOST_SURE))

        held = round(self._known["dead_confidence"] * 100)
        help_ = t("How sure the classification must be. Below it the bounce only counts; 100: only proven ones block.")
        limits: dict[str, Any] = {"min": 0, "max": MOST_SURE}
        label = t("A dead address is blocked at once from (per cent sure)")
        field = Field(label, "number", held, on_typed=typed, help=help_, **limits, **self._off)

    def _lasting(self) -> None:
        t = self._visitor.t
        Tag("h2", text=t("How long a block lasts"))

        def typed(value: str) -> None:
            parts = [part.strip() for part in str(value).replace(";", ",").split(",") if part.strip()]
            good = all(part.isdecimal() and 1 <= int(part) <= MOST_DAYS for part in parts)
            self._judge("expiry_days", [int(part) for part in parts] if good else None, field, good=good)

        held = ", ".join(map(str, self._known["expiry_days"]))
        with Tag("div", "stack fields"):
            Tag("p", "quiet", t("A block for bounces can end automatically, so that the address gets another chance."))
            label = t("Days of the first, second, … block")
            help_ = t("Separate with commas, such as 7, 30, 90; the last one repeats. Empty: until somebody lifts it.")
            field = Field(label, "text", held, on_typed=typed, help=help_, inputmode="numeric", **self._off)
            Tag("p", "quiet", t("Spam complaints and manual blocks never end automatically."))

    def _erased(self) -> None:
        t = self._visitor.t
        Tag("h2", text=t("Erased addresses"))
        with Tag("div", "stack fields"):
            Tag("p", "quiet", t("Nothing is kept of an erased address but a code by which it is recognised."))
            skip = t("Skip erased addresses until their bounce-flag is cleared")
            told = partial(self._set, "skip_erased")
            Field(skip, "checkbox", self._known["skip_erased"], on_typed=told, **self._off)
            help_ = t("How long an erasure can be undone before it is done. 0: it is done at once.")
            self._whole("erase_after_days", t("Days that an erasure waits"), help_, least=0, most=MOST_WAITING)

    def _whole(self, name: str, label: str, help_: str, *, least: int, most: int, empty: bool = False) -> None:
        """A field for a whole number, or for none."""

        def typed(value: str) -> None:
            text = str(value).strip()
            good = (empty and not text) or (text.isdecimal() and least <= int(text) <= most)
            self._judge(name, int(text) if good and text else None, field, good=good, limits=(least, most))

        held = self._known[name]
        limits: dict[str, Any] = {"min": least, "max": most}
        field = Field(label, "number", "" if held is None else held, on_typed=typed, help=help_, **limits, **self._off)

    def _judge(
        self, name: str, value: Any, field: Field, *, good: bool, limits: tuple[int, int] = (1, MOST_DAYS)
    ) -> None:
        least, most = limits
        field.wrong("" if good else self._visitor.t("A whole number from {least} to {most}.", least=least, most=most))
        if good:
            self._wrong.discard(name)
            self._set(name, value)
        else:
            self._wrong.add(name)

    def _set(self, name: str, value: Any) -> None:
        self._wanted[name] = value

    def _reasons(self) -> None:
        texts, t = self._visitor.texts, self._visitor.t
        Tag("h2", text=t("What each reason does"))
        Tag("p", "quiet", t("Block at once: one bounce blocks. Count: it counts towards the number above."))
        with Tag("div", "reason-list"):
            for reason in Reason:
                effect = self._known["reasons"].get(reason.value)
                if effect is None or reason in reasons.NO_BOUNCE:
                    continue
                with Tag("div", "reason-line"):
                    with Tag("div"):
                        Tag("strong", text=reasons.title(texts, reason))
                        Tag("p", "quiet small", reasons.sentence(texts, reason, EXAMPLE))
                    told, label = partial(self._chose, reason.value), reasons.title(texts, reason)
                    choices = {value: t(reasons.EFFECTS[value]) for value in effects(reason.value)}
                    Field(label, "select", effect, choices=choices, on_typed=told, unlabelled=True, **self._off)

    def _chose(self, reason: str, effect: str) -> None:
        self._effects[reason] = effect

    def _change(self) -> dict[str, Any]:
        changed = {k: v for k, v in self._effects.items() if self._known["reasons"][k] != v}
        plain = {name: value for name, value in self._wanted.items() if self._known[name] != value}
        return plain | ({"reasons": changed} if changed else {})

    async def _try(self) -> None:
        visitor, t = self._visitor, self._visitor.t
        self._said.clear()
        if self._wrong:
            return
        change = self._change()
        with self._said:
            if not change:
                notice("calm", t("Nothing was changed yet."))
                return
            dialog = Dialog(visitor, t("Effect of the change"))
        with dialog.body:
            try:
                told = await visitor.api.call("blocklist", "POST", "/v1/settings/preview", body=change)
                told = await self._waited(told)
            except Trouble as trouble:
                notice("warn", *visitor.trouble(trouble))
            else:
                self._tell(told.get("result") or told)
        with dialog.foot:
            dialog.cancel_button()
            button(t("Save"), partial(self._save, dialog, change), "primary")

    async def _waited(self, told: dict[str, Any]) -> dict[str, Any]:
        """Ask until the count has ended: it takes seconds for a million addresses."""
        while told.get("id") and not told.get("finished_at"):
            await asyncio.sleep(0.5)
            told = await self._visitor.api.get("blocklist", f"/v1/jobs/{told['id']}")
        return told

    def _tell(self, result: Mapping[str, Any]) -> None:
        texts, t = self._visitor.texts, self._visitor.t
        with Tag("div", "row figures"):
            for count, title in (
                (result["blocked"], t("would be blocked")),
                (result["freed"], t("would be unblocked")),
            ):
                with Tag("div", "figure"):
                    Tag("b", text=texts.number(count))
                    Tag("span", "quiet", title)
        rows = result.get("by_reason", [])[:MOST_LINES]
        if rows:
            with Tag("ul", "tally"):
                for row in rows:
                    with Tag("li"):
                        Tag("span", text=reasons.title(texts, row["reason"]) or row["reason"])
                        Tag("b", text=f"+{texts.number(row['blocked'])} / −{texts.number(row['freed'])}")
        shown = [row["address"] for row in result.get("sample", [])[:5]]
        if shown:
            Tag("p", "small quiet", ", ".join(shown))
        if not result["blocked"] and not result["freed"]:
            notice("calm", t("No address changes by it today."))

    async def _save(self, dialog: Dialog, change: dict[str, Any]) -> None:
        headers = {"If-Match": f'"{self._known["version"]}"'}
        with dialog.body:
            try:
                await self._visitor.api.call("blocklist", "PUT", "/v1/settings", body=change, headers=headers)
            except Trouble as trouble:
                notice("bad", *self._visitor.trouble(trouble))
                return
        dialog.close()
        await self._anew(self._visitor.t("Saved."))

    async def _undo(self) -> None:
        self._said.clear()
        with self._said:
            try:
                await self._visitor.api.call("blocklist", "POST", "/v1/settings/undo", body={})
            except Trouble as trouble:
                notice("bad", *self._visitor.trouble(trouble))
                return
        await self._anew(self._visitor.t("The settings are as they were before."))

    async def _anew(self, said: str) -> None:
        """Draw the settings as they are now, and say what was done."""
        self._known = await self._visitor.api.get("blocklist", "/v1/settings")
        self._wanted, self._effects, self._wrong = {}, {}, set()
        for part in (self._place, self._foot, self._said):
            part.clear()
        self.show()
        with self._said:
            notice("good", said, self._visitor.t("All addresses are looked at anew by it, in the background."))
