"""Settings: how many returns are accepted, what each reason does, how long blocks last, when is sent again."""

import asyncio
from functools import partial
from typing import Any

from returpost.contracts.enums import Reason
from services.console.api_client import Trouble
from services.console.components.field import Field
from services.console.components.markup import Tag, button, notice
from services.console.components.shell import Pages, Visitor, heading
from services.console.i18n import gettext_noop as _, reasons
from services.console.pages.settings import retry_schedule, stop_signals
from services.console.pages.settings.alerts import Alerts
from services.console.pages.settings.section import Known, Section

MOST_ACCEPTED, MOST_DAYS = 1000, 3650
MOST_SURE = 100
MOST_WAITING = 30
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
    form, times, stops, alerts = Tag("div"), Tag("div"), Tag("div"), Tag("div")

    async def blocks() -> None:
        with form, visitor.guarding():
            Form(visitor, await visitor.api.get("blocklist", "/v1/settings")).show()

    async def schedule() -> None:
        with times, visitor.guarding():
            await retry_schedule.show(visitor)

    async def thresholds() -> None:
        with stops, visitor.guarding():
            await stop_signals.show(visitor)

    async def channels() -> None:
        with alerts, visitor.guarding():
            if visitor.may("administer"):
                await Alerts(visitor).show()

    await asyncio.gather(blocks(), schedule(), thresholds(), channels())


def effects(reason: str) -> tuple[str, ...]:
    """Return what a reason may do."""
    if reason == Reason.COMPLAINT:
        return "block", "ignore"
    return ("block", "count", "ignore") if reason in MAY_BLOCK else ("count", "ignore")


class Form:
    """The settings of blocks, in sections that are saved one by one."""

    def __init__(self, visitor: Visitor, values: dict[str, Any]) -> None:
        self._visitor, self._known = visitor, Known(values)
        self._off: dict[str, Any] = {"disabled": not visitor.may("administer")}
        with Tag("div", "cards"):
            drawn = ((self._number, "half"), (self._lasting, "half"), (self._erased, ""), (self._reasons, ""))
            self._sections = [Section(visitor, self._known, draw, look, self._changed) for draw, look in drawn]
        with Tag("div", "stack after-cards"):
            self._said = Tag("div", aria_live="polite")
            self._foot = Tag("div", "row")

    def show(self) -> None:
        """Draw it."""
        for section in self._sections:
            section.show()
        self._end()

    def _end(self) -> None:
        """Who changed the settings last, and the way to undo it."""
        t, known, texts = self._visitor.t, self._known.values, self._visitor.texts
        self._foot.clear()
        self._said.clear()
        with self._foot:
            if not self._visitor.may("administer"):
                Tag("p", "quiet", t("Only administrators change settings."))
            elif known["version"]:
                button(t("Undo the last change"), self._undo, picture="undo")
            if known["changed_by"]:
                when = texts.time(known["changed_at"])
                Tag("p", "quiet small", t("Last changed by {who}, {when}.", who=known["changed_by"], when=when))

    async def _changed(self) -> None:
        self._end()

    def _number(self, section: Section) -> None:
        t, known = self._visitor.t, self._known.values
        Tag("h2", text=t("Number of accepted bounces before email address is disabled"))
        with Tag("div", "stack fields"):
            help_ = t("An address is blocked by the bounce after these.")
            label = t("Accepted bounces")
            self._whole(section, "accepted_bounces", label, help_, least=0, most=MOST_ACCEPTED)
            choices = {value: t(text) for value, text in COUNTINGS.items()}
            told = partial(section.put, "counting")
            Field(t("What is counted"), "select", known["counting"], choices=choices, on_typed=told, **self._off)
            help_ = t("Days after which a bounce no longer counts. Empty: never.")
            self._whole(section, "decay_days", t("Bounces count for"), help_, least=1, most=MOST_DAYS, empty=True)
            self._share(section)
            once = t("Count at most one bounce a day for an address")
            Field(once, "checkbox", known["once_a_day"], on_typed=partial(section.put, "once_a_day"), **self._off)

    def _share(self, section: Section) -> None:
        """The confidence from which on a dead address blocks at once, in per cent."""
        t = self._visitor.t

        def typed(value: str) -> None:
            text = str(value).strip()
            good = text.isdecimal() and 0 <= int(text) <= MOST_SURE
            share = int(text) / 100 if good else None
            section.judge("dead_confidence", share, field, good=good, limits=(0, MOST_SURE))

        held = round(self._known.values["dead_confidence"] * 100)
        help_ = t("How sure the classification must be. Below it the bounce only counts; 100: only proven ones block.")
        limits: dict[str, Any] = {"min": 0, "max": MOST_SURE}
        label = t("A dead address is blocked at once from (per cent sure)")
        field = Field(label, "number", held, on_typed=typed, help=help_, **limits, **self._off)

    def _lasting(self, section: Section) -> None:
        t = self._visitor.t
        Tag("h2", text=t("How long a block lasts"))

        def typed(value: str) -> None:
            parts = [part.strip() for part in str(value).replace(";", ",").split(",") if part.strip()]
            good = all(part.isdecimal() and 1 <= int(part) <= MOST_DAYS for part in parts)
            days = [int(part) for part in parts] if good else None
            section.judge("expiry_days", days, field, good=good, limits=(1, MOST_DAYS))

        held = ", ".join(map(str, self._known.values["expiry_days"]))
        with Tag("div", "stack fields"):
            Tag("p", "quiet", t("A block for bounces can end automatically, so that the address gets another chance."))
            label = t("Days of the first, second, … block")
            help_ = t("Separate with commas, such as 7, 30, 90; the last one repeats. Empty: until somebody lifts it.")
            field = Field(label, "text", held, on_typed=typed, help=help_, inputmode="numeric", **self._off)
            Tag("p", "quiet", t("Spam complaints and manual blocks never end automatically."))

    def _erased(self, section: Section) -> None:
        t = self._visitor.t
        Tag("h2", text=t("Erased addresses"))
        with Tag("div", "stack fields"):
            Tag("p", "quiet", t("Nothing is kept of an erased address but a code by which it is recognised."))
            skip = t("Skip erased addresses until their bounce-flag is cleared")
            told = partial(section.put, "skip_erased")
            Field(skip, "checkbox", self._known.values["skip_erased"], on_typed=told, **self._off)
            help_ = t("How long an erasure can be undone before it is done. 0: it is done at once.")
            self._whole(section, "erase_after_days", t("Days that an erasure waits"), help_, least=0, most=MOST_WAITING)

    def _whole(
        self, section: Section, name: str, label: str, help_: str, *, least: int, most: int, empty: bool = False
    ) -> None:
        """A field for a whole number, or for none."""

        def typed(value: str) -> None:
            text = str(value).strip()
            good = (empty and not text) or (text.isdecimal() and least <= int(text) <= most)
            section.judge(name, int(text) if good and text else None, field, good=good, limits=(least, most))

        held = self._known.values[name]
        limits: dict[str, Any] = {"min": least, "max": most}
        field = Field(label, "number", "" if held is None else held, on_typed=typed, help=help_, **limits, **self._off)

    def _reasons(self, section: Section) -> None:
        texts, t = self._visitor.texts, self._visitor.t
        Tag("h2", text=t("What each reason does"))
        Tag("p", "quiet", t("Block at once: one bounce blocks. Count: it counts towards the number above."))
        with Tag("div", "reason-list"):
            for reason in Reason:
                effect = self._known.values["reasons"].get(reason.value)
                if effect is None or reason in reasons.NO_BOUNCE:
                    continue
                with Tag("div", "reason-line"):
                    with Tag("div"):
                        Tag("strong", text=reasons.title(texts, reason))
                        Tag("p", "quiet small", reasons.sentence(texts, reason, EXAMPLE))
                    told, label = partial(section.put_effect, reason.value), reasons.title(texts, reason)
                    choices = {value: t(reasons.EFFECTS[value]) for value in effects(reason.value)}
                    Field(label, "select", effect, choices=choices, on_typed=told, unlabelled=True, **self._off)

    async def _undo(self) -> None:
        """Undo the last change; what is being typed in a section stays there."""
        self._said.clear()
        with self._said:
            try:
                await self._visitor.api.call("blocklist", "POST", "/v1/settings/undo", body={})
                values = await self._visitor.api.get("blocklist", "/v1/settings")
            except Trouble as trouble:
                notice("bad", *self._visitor.trouble(trouble))
                return
        untouched = [section for section in self._sections if not section.changed]
        self._known.values = values
        for section in untouched:
            section.show()
        self._end()
        with self._said:
            more = self._visitor.t("All addresses are looked at anew by it, in the background.")
            notice("good", self._visitor.t("The settings are as they were before."), more)
