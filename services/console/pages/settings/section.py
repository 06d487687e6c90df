"""One section of the settings: what was changed there, whether it is right, and the way to preview and save it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from services.console.api_client import Trouble
from services.console.components.dialogs.dialog import Dialog
from services.console.components.field import Field
from services.console.components.markup import Tag, button, notice
from services.console.components.shell import Visitor
from services.console.i18n import reasons

MOST_LINES = 6
MOST_SHOWN = 5
POLL_SECONDS = 0.5
Draw = Callable[["Section"], None]


class Known:
    """The settings as the service has them; all sections of a page share them, since they have one version."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values


class Section:
    """A card with some of the settings. It is saved by itself: what was changed in others stays there."""

    def __init__(
        self, visitor: Visitor, known: Known, draw: Draw, classes: str, saved: Callable[[], Awaitable[None]]
    ) -> None:
        """`draw` draws the fields; `saved` is told when the settings have changed."""
        self.visitor, self.known = visitor, known
        self._draw, self._saved = draw, saved
        self._wanted: dict[str, Any] = {}
        self._effects: dict[str, str] = {}
        self._wrong: set[str] = set()
        self._told = 0
        self._box = Tag("section", f"card {classes}", data_guarded="")

    def show(self, said: str = "") -> None:
        """Draw it as the settings are now, and say what was done."""
        self._wanted, self._effects, self._wrong = {}, {}, set()
        t = self.visitor.t
        self._box.clear()
        with self._box:
            self._draw(self)
            self._said = Tag("div", aria_live="polite")
            if self.visitor.may("administer"):
                with Tag("div", "row section-foot"):
                    self._button = button(t("Preview and save"), self._try)
                    self._badge = Tag("span", "badge warn", t("Not saved"))
            if said:
                with self._said:
                    notice("good", said, t("All addresses are looked at anew by it, in the background."))
        self._mark()

    @property
    def changed(self) -> bool:
        """Whether something was typed that is not saved."""
        return bool(self._wrong or self._change())

    def put(self, name: str, value: Any) -> None:
        """Take a new value of a setting."""
        self._wanted[name] = value
        self._mark()

    def put_effect(self, reason: str, effect: str) -> None:
        """Take a new effect of a reason."""
        self._effects[reason] = effect
        self._mark()

    def judge(self, name: str, value: Any, field: Field, *, good: bool, limits: tuple[int, int]) -> None:
        """Take a value that is good; mark the field of one that is not."""
        least, most = limits
        field.wrong("" if good else self.visitor.t("A whole number from {least} to {most}.", least=least, most=most))
        if good:
            self._wrong.discard(name)
            self.put(name, value)
        else:
            self._wrong.add(name)
            self._mark()

    def _mark(self) -> None:
        """Show whether something is not saved; the page asks before it is left then."""
        changed = self.changed
        self._told += 1
        self._box.props["data-told"] = str(self._told)
        self._box.props["data-unsaved"] = "" if changed else None
        self._box.update()
        if self.visitor.may("administer"):
            self._badge.set_visibility(changed)
            self._button.classes(**({"add": "primary"} if changed else {"remove": "primary"}))

    def _change(self) -> dict[str, Any]:
        known = self.known.values
        effects = {name: effect for name, effect in self._effects.items() if known["reasons"][name] != effect}
        plain = {name: value for name, value in self._wanted.items() if known[name] != value}
        return plain | ({"reasons": effects} if effects else {})

    async def _try(self) -> None:
        t = self.visitor.t
        self._said.clear()
        change = self._change()
        with self._said:
            if self._wrong:
                notice("bad", t("Nothing was saved."), t("Correct the marked fields first."))
                return
            if not change:
                notice("calm", t("Nothing was changed yet."))
                return
            dialog = Dialog(self.visitor, t("Effect of the change"))
        with dialog.body:
            try:
                told = await self.visitor.api.call("blocklist", "POST", "/v1/settings/preview", body=change)
                told = await self._waited(told)
            except Trouble as trouble:
                notice("warn", *self.visitor.trouble(trouble))
            else:
                tell(self.visitor, told.get("result") or told)
        with dialog.foot:
            dialog.cancel_button()
            button(t("Save"), partial(self._save, dialog, change), "primary")

    async def _waited(self, told: dict[str, Any]) -> dict[str, Any]:
        """Ask until the count has ended: it takes seconds for a million addresses."""
        while told.get("id") and not told.get("finished_at"):
            await asyncio.sleep(POLL_SECONDS)
            told = await self.visitor.api.get("blocklist", f"/v1/jobs/{told['id']}")
        return told

    async def _save(self, dialog: Dialog, change: dict[str, Any]) -> None:
        headers = {"If-Match": f'"{self.known.values["version"]}"'}
        with dialog.body:
            try:
                await self.visitor.api.call("blocklist", "PUT", "/v1/settings", body=change, headers=headers)
                self.known.values = await self.visitor.api.get("blocklist", "/v1/settings")
            except Trouble as trouble:
                notice("bad", *self.visitor.trouble(trouble))
                return
        dialog.close()
        self.show(self.visitor.t("Saved."))
        await self._saved()


def tell(visitor: Visitor, result: Mapping[str, Any]) -> None:
    """Show what a change would do: how many would be blocked and unblocked, by reason, and some of them."""
    texts, t = visitor.texts, visitor.t
    with Tag("div", "row figures"):
        for count, title in ((result["blocked"], t("would be blocked")), (result["freed"], t("would be unblocked"))):
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
    shown = [row["address"] for row in result.get("sample", [])[:MOST_SHOWN]]
    if shown:
        Tag("p", "small quiet", ", ".join(shown))
    if not result["blocked"] and not result["freed"]:
        notice("calm", t("No address changes by it today."))
