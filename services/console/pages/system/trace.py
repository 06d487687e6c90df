"""What happened to an address, a mailing or one event: each event, what it follows from, and where it is now."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.console.api_client import Trouble
from services.console.components.field import Field
from services.console.components.markup import Tag, button, empty, notice
from services.console.components.shell import Pages, Visitor, heading, trail
from services.console.i18n import gettext_noop as _
from services.console.pages.system.health import MIN_WHY

KINDS = {"address": _("E-mail address"), "mailing": _("Mailing"), "event": _("Event by its id")}
STATES = {
    "waiting": (_("waiting"), "warn"),
    "taken": (_("taken"), "good"),
    "unknown": (_("unknown"), "calm"),
    "dead": (_("dead letter"), "bad"),
    "failed": (_("failed again"), "bad"),
    "pending": (_("being replayed"), "warn"),
    "processed": (_("replayed and processed"), "good"),
    "replayed": (_("replayed"), "good"),
    "discarded": (_("discarded"), "calm"),
    "edited": (_("replaced by an edited one"), "calm"),
}
POSTED = {
    "waiting": _("not posted yet"),
    "open": _("is being posted"),
    "delivered": _("delivered"),
    "skipped": _("given up"),
    "lost": _("no longer kept"),
    "superseded": _("superseded"),
}
MAX_EVENTS = 50
"""Of which deliveries to webhooks are asked for: the latest."""
SHORT = 8
"""Characters of an id that are shown; all of it is under the pointer."""


def add(pages: Pages) -> None:
    """Serve the page."""
    pages.add("/trace", _("Follow an event"), trace, "operate")


async def trace(visitor: Visitor) -> None:
    """Draw the form; an address that the page is asked with stands in it already."""
    t = visitor.t
    trail(visitor, (t("System"), "/system"))
    heading(
        t("Follow an event"), t("From what came in to the block, the webhooks and your CRM, or to where it stopped.")
    )
    with Tag("section", "card"):
        Form(visitor).show()


class Form:
    """What is followed and why, and below it what was found."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor

    def show(self) -> None:
        """Draw it."""
        t, query = self._visitor.t, self._visitor.query
        kind = next((name for name in KINDS if name in query), "address")
        with Tag("div", "fields-row"):
            self._kind = Field(
                t("Follow what"), "select", kind, choices={name: t(text) for name, text in KINDS.items()}
            )
            self._subject = Field(t("Address, mailing or id"), value=query.get(kind, ""), maxlength=320)
            self._why = Field(t("Why"), help=t("The audit keeps it."), maxlength=200)
        button(t("Follow"), self._follow, "primary")
        self._found = Tag("div", "stack", aria_live="polite")

    async def _follow(self) -> None:
        visitor, t = self._visitor, self._visitor.t
        subject, why = str(self._subject.value).strip(), str(self._why.value).strip()
        self._subject.wrong("" if subject else t("Say what."))
        self._why.wrong("" if len(why) >= MIN_WHY else t("Say why."))
        if not subject or len(why) < MIN_WHY:
            return
        self._found.clear()
        with self._found:
            try:
                body = {str(self._kind.value): subject, "why": why}
                found = await visitor.api.call("replay", "POST", "/v1/trace", body=body)
            except Trouble as trouble:
                notice("bad", *visitor.trouble(trouble))
                return
            posted = await self._posted([step for step in found["steps"] if step["for_webhooks"]][-MAX_EVENTS:])
            self._draw(found, posted)

    async def _posted(self, steps: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        if not steps:
            return []
        asked = {"event": [step["id"] for step in steps], "since": min(step["time"] for step in steps)}
        try:
            return list((await self._visitor.api.get("blocklist", "/v1/webhook-deliveries", **asked))["items"])
        except Trouble as trouble:
            notice("warn", *self._visitor.trouble(trouble))
            return []

    def _draw(self, found: Mapping[str, Any], posted: Sequence[Mapping[str, Any]]) -> None:
        t = self._visitor.t
        if not found["complete"]:
            notice("warn", t("There is more than was read."), t("The first events are shown."))
        if not found["steps"]:
            empty("list", t("Nothing found"), t("The events of the last 7 days were looked through."))
        else:
            with Tag("ol", "timeline"):
                for step in found["steps"]:
                    self._step(step, [one for one in posted if one["event"] == step["id"]])
        shown = {step["id"] for step in found["steps"]}
        for letter in found["dead_letters"]:
            if letter["event_id"] not in shown:
                notice("bad", t("A dead letter in {queue}", queue=letter["queue"]), letter["error"])

    def _step(self, step: Mapping[str, Any], posted: Sequence[Mapping[str, Any]]) -> None:
        texts, t = self._visitor.texts, self._visitor.t
        tones = [STATES[state["state"]][1] for state in step["queues"]]
        with Tag("li", next((tone for tone in ("bad", "warn", "good") if tone in tones), "calm")):
            Tag("time", text=texts.full_time(step["time"]))
            Tag("strong", text=step["type"].removeprefix("returpost.").removesuffix(".v1"))
            with Tag("p", "quiet small"):
                Tag("code", text=step["id"][:SHORT], title=step["id"])
                if step["cause"]:
                    after = texts.number(round(step["seconds"], 3))
                    Tag("span", text=" " + t("follows from {id} after {n} s", id=step["cause"][:SHORT], n=after))
            about = {"mailing": step["mailing"]} | step["facts"]
            if facts := [f"{name}: {value}" for name, value in about.items() if value]:
                Tag("p", "quiet", " · ".join(facts))
            for state in step["queues"]:
                self._queue(state)
            for one in posted:
                self._delivery(one)

    def _queue(self, state: Mapping[str, Any]) -> None:
        t, (word, tone) = self._visitor.t, STATES[state["state"]]
        with Tag("p", "small"):
            Tag("span", text=f"{state['queue']} ")
            Tag("span", f"badge {tone}", t(word))
            if state["ahead"] is not None:
                before = self._visitor.texts.tn("{n} before it", "{n} before it", state["ahead"])
                Tag("span", "quiet", f" {before}")

    def _delivery(self, one: Mapping[str, Any]) -> None:
        texts, t = self._visitor.texts, self._visitor.t
        tone = {"delivered": "good", "skipped": "bad", "lost": "bad"}.get(one["state"], "warn")
        with Tag("p", "small"):
            Tag("span", text=t("Webhook {name}", name=one["webhook"]) + " ")
            Tag("span", f"badge {tone}", t(POSTED[one["state"]]))
            if said := one["problem"] or texts.full_time(one["done_at"]):
                Tag("span", "quiet", f" {said}")
