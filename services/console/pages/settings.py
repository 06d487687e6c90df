"""Settings: how many returns are accepted, what each reason does; what a change would do is shown first."""

import asyncio
from functools import partial
from typing import Any

from services.console.api_client import Trouble
from services.console.parts.dialog import Dialog
from services.console.parts.field import Field
from services.console.parts.markup import Tag, button, notice
from services.console.parts.shell import Pages, Visitor, heading
from services.console.texts import marked as _, reasons
from shared.vocabulary import Reason

MOST_ACCEPTED = 1000
MOST_LINES = 6
EXAMPLE = "x@example.com"
"""Whose domain stands in the sentences."""


def add(pages: Pages) -> None:
    """Serve the page."""
    pages.add("/settings", _("Settings"), settings)


async def settings(visitor: Visitor) -> None:
    """Draw the page."""
    t = visitor.t
    heading(t("Settings"), t("They apply to this customer alone. What a change would do is shown before it is saved."))
    await Form(visitor, await visitor.api.get("blocklist", "/v1/settings")).show()


class Form:
    """The settings that are edited."""

    def __init__(self, visitor: Visitor, known: dict[str, Any]) -> None:
        self._visitor, self._known = visitor, known
        self._accepted: int | None = known["accepted_bounces"]
        self._effects: dict[str, str] = {}
        self._may = visitor.may("administer")
        self._place = Tag("div", "cards")
        self._said = Tag("div", aria_live="polite")

    async def show(self) -> None:
        """Draw it."""
        with self._place:
            with Tag("section", "card"):
                self._number()
            with Tag("section", "card"):
                self._reasons()
        t = self._visitor.t
        with Tag("div", "row"):
            if self._may:
                button(t("Show what it would do"), self._try, "primary")
            else:
                Tag("p", "quiet", t("Only administrators change settings."))

    def _number(self) -> None:
        t = self._visitor.t
        Tag("h2", text=t("Number of accepted bounces before email address is disabled"))
        count = self._known["accepted_bounces"]
        help_ = t("An address is blocked by the return after these. A good delivery begins the count anew.")

        def typed(value: str) -> None:
            good = str(value).isdecimal() and int(value) <= MOST_ACCEPTED
            self._accepted = int(value) if good else None
            self._field.wrong("" if good else t("A whole number from 0 to {most}.", most=MOST_ACCEPTED))

        label = t("Accepted bounces")
        limits: dict[str, Any] = {"min": 0, "max": MOST_ACCEPTED, "disabled": not self._may}
        self._field = Field(label, "number", count, on_typed=typed, help=help_, **limits)
        self._field.style("max-width: 420px")

    def _reasons(self) -> None:
        texts, t = self._visitor.texts, self._visitor.t
        Tag("h2", text=t("What each reason does"))
        Tag("p", "quiet", t("Block at once: one return blocks. Count: it counts towards the number above."))
        choices = {value: t(text) for value, text in reasons.EFFECTS.items()}
        with Tag("div", "reason-list"):
            for reason in Reason:
                effect = self._known["reasons"].get(reason.value)
                if effect is None or reason in (Reason.DELIVERED, Reason.DELAYED):
                    continue
                with Tag("div", "reason-line"):
                    with Tag("div"):
                        Tag("strong", text=reasons.title(texts, reason))
                        Tag("p", "quiet small", reasons.sentence(texts, reason, EXAMPLE))
                    told = partial(self._chose, reason.value)
                    label = reasons.title(texts, reason)
                    off: dict[str, Any] = {"disabled": not self._may}
                    Field(label, "select", effect, choices=choices, on_typed=told, unlabelled=True, **off)

    def _chose(self, reason: str, effect: str) -> None:
        self._effects[reason] = effect

    def _change(self) -> dict[str, Any]:
        changed = {k: v for k, v in self._effects.items() if self._known["reasons"][k] != v}
        accepted = {} if self._accepted == self._known["accepted_bounces"] else {"accepted_bounces": self._accepted}
        return accepted | ({"reasons": changed} if changed else {})

    async def _try(self) -> None:
        visitor, t = self._visitor, self._visitor.t
        self._said.clear()
        if self._accepted is None:
            return
        change = self._change()
        with self._said:
            if not change:
                notice("calm", t("Nothing was changed yet."))
                return
            dialog = Dialog(visitor, t("What the change would do"))
        with dialog.body:
            try:
                told = await visitor.api.call("blocklist", "POST", "/v1/settings/what-if", body=change)
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
            told = await self._visitor.api.get("blocklist", f"/v1/operations/{told['id']}")
        return told

    def _tell(self, result: dict[str, Any]) -> None:
        texts, t = self._visitor.texts, self._visitor.t
        with Tag("div", "row figures"):
            for count, title in ((result["blocked"], t("would be blocked")), (result["freed"], t("would be free"))):
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
        visitor, version = self._visitor, self._known.get("version", 0)
        with dialog.body:
            try:
                headers = {"If-Match": f'"{version}"'}
                self._known = await visitor.api.call("blocklist", "PUT", "/v1/settings", body=change, headers=headers)
            except Trouble as trouble:
                notice("bad", *visitor.trouble(trouble))
                return
        dialog.close()
        self._effects = {}
        with self._said:
            notice("good", visitor.t("Saved."), visitor.t("All addresses are looked at anew by it, in the background."))
