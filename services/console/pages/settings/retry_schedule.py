"""When what failed for a while is sent again: a schedule for all reasons, and own ones for single reasons."""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from returpost.contracts.enums import Reason
from services.console.api_client import Trouble
from services.console.components.field import Field
from services.console.components.markup import Tag, button, icon, notice
from services.console.components.shell import Visitor
from services.console.i18n import gettext_noop as _, reasons

UNITS = {"s": _("seconds"), "m": _("minutes"), "h": _("hours"), "d": _("days")}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST = 30 * SECONDS["d"]
MOST = 20
ALL = ""
"""The schedule for all reasons that have none of their own."""
SOFT = (
    Reason.MAILBOX_FULL, Reason.SYSTEM_FULL, Reason.NETWORK_ERROR, Reason.SYSTEM_ERROR, Reason.RATE_LIMITED,
    Reason.GREYLISTED, Reason.POLICY, Reason.BAD_REPUTATION, Reason.IP_BLOCKED, Reason.UNDETERMINED,
)  # fmt: skip
"""What is mostly temporary: for these a schedule of its own may be made."""


def parted(delay: str) -> tuple[str, str]:
    """Return number and unit of a delay as the classifier writes it: `90s`, `5m`, `2h`, `1d`."""
    return delay[:-1], delay[-1]


def seconds(number: str, unit: str) -> float | None:
    """Return how long it is, or nothing for what is no length of time that may be waited."""
    written = number.strip().replace(",", ".")
    if not re.fullmatch(r"\d{1,6}(\.\d{1,3})?", written):
        return None
    length = float(written) * SECONDS[unit]
    return length if 0 < length <= LONGEST else None


async def show(visitor: Visitor) -> None:
    """Draw the schedule."""
    with Tag("div", "cards after-cards"), Tag("section", "card stack", data_guarded="") as card:
        form = Form(visitor, card, await visitor.api.get("classifier", "/v1/retry-settings"))
        form.show()
        rows = (await visitor.api.get("classifier", "/v1/retries/counts"))["items"]
        form.waiting(sum(row["count"] for row in rows if row["state"] in ("waiting", "requested", "paused")))


class Form:
    """The schedule that is edited."""

    def __init__(self, visitor: Visitor, card: Tag, known: dict[str, Any]) -> None:
        self._visitor, self._card = visitor, card
        self._take(known)
        self._about = ALL
        self._told_times = 0
        self._button: Tag | None = None
        self._badge: Tag | None = None
        t = visitor.t
        Tag("h2", text=t("When soft bounces are retried"))
        Tag(
            "p",
            "quiet",
            t("Temporary failures are retried automatically. After the last attempt it counts as a hard bounce."),
        )
        self._steps = Tag("div", "stack fields")
        self._said = Tag("div", aria_live="polite")
        self._foot = Tag("div", "row")
        self._waiting = Tag("p", "quiet small")

    def _take(self, known: dict[str, Any]) -> None:
        self._known = known
        self._schedules = _schedules(known)

    def _mark(self) -> None:
        """Show whether something is not saved; the page asks before it is left then."""
        changed = self._schedules != _schedules(self._known)
        self._told_times += 1
        self._card.props["data-told"] = str(self._told_times)
        self._card.props["data-unsaved"] = "" if changed else None
        self._card.update()
        if self._badge is not None and self._button is not None:
            self._badge.set_visibility(changed)
            self._button.classes(**({"add": "primary"} if changed else {"remove": "primary"}))

    def waiting(self, count: int) -> None:
        """Say how many wait: what waits keeps its time."""
        text = self._visitor.texts.tn(
            "{n} soft bounce waits to be sent again; it keeps its time.",
            "{n} soft bounces wait to be sent again; they keep their times.",
            count,
        )
        self._waiting.say(text)

    def show(self) -> None:
        """Draw what is edited now."""
        t, texts = self._visitor.t, self._visitor.texts
        self._steps.clear()
        self._foot.clear()
        own = self._about in self._schedules
        with self._steps:
            named = {reason: reasons.title(texts, reason) for reason in sorted({*SOFT, *self._schedules} - {ALL})}
            marked = {reason: f"{name} ●" if reason in self._schedules else name for reason, name in named.items()}
            choices = {ALL: t("All reasons")} | dict(sorted(marked.items(), key=lambda pair: pair[1]))
            Field(
                t("For"), "select", self._about, choices=choices, on_typed=self._turn, help=t("●: has times of its own")
            )
            self._times = Tag("div", "stack")
            if own:
                self._list()
            else:
                Tag("p", "quiet", t("Sent again as for all reasons."))
        with self._foot:
            if not self._visitor.may("write"):
                return
            if not own:
                button(t("Give it times of its own"), self._make_own)
            elif self._about != ALL:
                button(t("As for all reasons"), self._drop_own)
            self._button = button(t("Save the times"), self._save)
            self._badge = Tag("span", "badge warn", t("Not saved"))
        self._mark()

    def _list(self) -> None:
        """Draw the attempts anew; the buttons below stay, so that a click on one of them is not lost."""
        t, schedule = self._visitor.t, self._schedules[self._about]
        may = self._visitor.may("write")
        self._times.clear()
        with self._times, Tag("ol", "steps"):
            for at, step in enumerate(schedule):
                with Tag("li"):
                    self._step(at, step)
                    if may:
                        label = t("Remove attempt {n}", n=at + 1)
                        with Tag("button", "button plain", type="button", aria_label=label, title=label) as shut:
                            icon("close")
                        shut.on("click", partial(self._remove, at))
        with self._times:
            self._sum = Tag("p", "quiet small", self._told(schedule))
            if may and len(schedule) < MOST:
                button(t("Add attempt"), self._more).style("justify-self: start")

    def _step(self, at: int, step: tuple[str, str]) -> None:
        t = self._visitor.t
        off: dict[str, Any] = {"disabled": not self._visitor.may("write")}
        Tag("span", "quiet", t("Attempt {n} after", n=at + 1))
        label = t("Length of time before attempt {n}", n=at + 1)
        number = Field(label, "text", step[0], unlabelled=True, inputmode="decimal", **off)
        number.on_typed(partial(self._typed, at, 0, number))
        label = t("Unit of time before attempt {n}", n=at + 1)
        choices = {unit: t(text) for unit, text in UNITS.items()}
        Field(
            label,
            "select",
            step[1],
            choices=choices,
            on_typed=partial(self._typed, at, 1, number),
            unlabelled=True,
            **off,
        )

    def _told(self, schedule: Sequence[tuple[str, str]]) -> str:
        t, texts = self._visitor.t, self._visitor.texts
        if not schedule:
            return t("It is not retried: the first soft bounce counts as a hard one.")
        lengths = [seconds(*step) for step in schedule]
        if None in lengths:
            return t("Enter each time as a number above zero, 30 days at most.")
        attempts = texts.tn("{n} attempt", "{n} attempts", len(schedule))
        span = texts.span(sum(length for length in lengths if length))
        return t(
            "{attempts} in {span}, with a little chance so that they do not all come at once.",
            attempts=attempts,
            span=span,
        )

    def _turn(self, about: str) -> None:
        self._about = about
        self.show()

    def _typed(self, at: int, part: int, number: Field, value: str) -> None:
        step = list(self._schedules[self._about][at])
        step[part] = str(value)
        self._schedules[self._about][at] = (step[0], step[1])
        number.wrong("" if seconds(*step) is not None else self._visitor.t("Not a time"))
        self._sum.say(self._told(self._schedules[self._about]))
        self._mark()

    def _remove(self, at: int) -> None:
        del self._schedules[self._about][at]
        self._list()
        self._mark()

    def _more(self) -> None:
        schedule = self._schedules[self._about]
        schedule.append(schedule[-1] if schedule else ("30", "m"))
        self._list()
        self._mark()

    def _make_own(self) -> None:
        self._schedules[self._about] = list(self._schedules[ALL])
        self.show()

    def _drop_own(self) -> None:
        self._schedules.pop(self._about, None)
        self.show()

    async def _save(self) -> None:
        visitor, t = self._visitor, self._visitor.t
        self._said.clear()
        if any(seconds(*step) is None for schedule in self._schedules.values() for step in schedule):
            with self._said:
                notice("bad", t("Nothing was saved."), t("Enter each time as a number above zero, 30 days at most."))
            return
        written = {
            about: [f"{number.strip().replace(',', '.')}{unit}" for number, unit in schedule]
            for about, schedule in self._schedules.items()
        }
        body = {"delays": written.pop(ALL), "by_reason": written, "domain_limit": self._known["domain_limit"]}
        headers = {"If-Match": f'"{self._known["version"]}"'}
        with self._said:
            try:
                told = await visitor.api.call("classifier", "PUT", "/v1/retry-settings", body=body, headers=headers)
            except Trouble as trouble:
                notice("bad", *visitor.trouble(trouble))
                return
            notice("good", t("Saved."), t("It applies to all bounces from now on."))
        self._take(told)
        self.show()


def _schedules(known: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Return the schedules as they are edited, by reason."""
    return {
        ALL: [parted(delay) for delay in known["delays"]],
        **{reason: [parted(delay) for delay in delays] for reason, delays in known["by_reason"].items()},
    }
