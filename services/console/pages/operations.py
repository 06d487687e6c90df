"""How the system is: services, queues with lag, dead letters in groups, replays. For operators at night."""

import asyncio
from functools import partial
from typing import Any

from services.console.api_client import Away, Trouble
from services.console.parts.dialog import Dialog
from services.console.parts.markup import Tag, button, empty, notice
from services.console.parts.shell import PARTS, Pages, Visitor, heading
from services.console.texts import marked as _

SERVICES = tuple(PARTS)
STATES = {
    "running": (_("At work"), "warn"),
    "done": (_("Done"), "good"),
    "finished": (_("Done"), "good"),
    "stopped": (_("Stopped"), "calm"),
    "failed": (_("Failed"), "bad"),
}


def add(pages: Pages) -> None:
    """Serve the page."""
    pages.add("/operations", _("Operations"), operations, "operate")


async def operations(visitor: Visitor) -> None:
    """Draw the page; each part by itself, so that one that is away hides no other."""
    t = visitor.t
    heading(t("Operations"), t("Nothing is ever thrown away: what could not be processed waits here for you."))
    with Tag("div", "cards"):
        with Tag("section", "card"):
            Tag("h2", text=t("Services and queues"))
            await _services(visitor)
        with Tag("section", "card"):
            Tag("h2", text=t("Dead letters"))
            with visitor.guarding():
                await Letters(visitor).show()
        with Tag("section", "card"):
            Tag("h2", text=t("Replays"))
            with visitor.guarding():
                await _jobs(visitor)


async def _health(visitor: Visitor, service: str) -> dict[str, Any] | None:
    try:
        answer = await visitor.api.services.look(service, "/health/ready")
    except Away:
        return None
    return dict(answer)


async def _services(visitor: Visitor) -> None:
    t, texts = visitor.t, visitor.texts
    found = await asyncio.gather(*(_health(visitor, service) for service in SERVICES))
    with table(t("Service"), t("State"), t("Queue"), t("Lag"), t("Database"), label=t("Services and queues")):
        for service, health in zip(SERVICES, found, strict=True):
            consumers = (health or {}).get("consumers") or {"": {}}
            for at, (queue, state) in enumerate(consumers.items()):
                with Tag("tr"):
                    Tag("td", "first", service if at == 0 else "")
                    with Tag("td"):
                        if health is None:
                            Tag("span", "badge bad", t("Does not answer"))
                        else:
                            well = state.get("ok", health["ok"])
                            Tag("span", f"badge {'good' if well else 'bad'}", t("Well") if well else t("Held"))
                    Tag("td", text=queue)
                    lag = state.get("lag_seconds", state.get("lag"))
                    Tag("td", "number", f"{texts.number(round(lag, 2))} s" if isinstance(lag, int | float) else "")
                    Tag("td", text=str((health or {}).get("database", "")) if at == 0 else "")


class Letters:
    """Dead letters by what went wrong, with replay and discard."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._place = Tag("div", "stack")

    async def show(self) -> None:
        """Draw the groups."""
        t, texts = self._visitor.t, self._visitor.texts
        groups = await self._visitor.api.get("replay", "/v1/dead-letters/groups", state="dead")
        self._place.clear()
        with self._place:
            if not groups:
                empty("ok", t("No dead letters"), t("Everything that came in was processed."))
                return
            with table(t("Queue"), t("What went wrong"), t("Number"), t("Last"), "", label=t("Dead letters")):
                for group in groups:
                    with Tag("tr"):
                        Tag("td", "first", group.get("queue") or t("no queue"))
                        error = " ".join(str(group[name]) for name in ("error", "message", "place") if group.get(name))
                        Tag("td", "wraps", error or str(group.get("fingerprint")))
                        Tag("td", "number", texts.number(group["count"]))
                        Tag("td", text=texts.time(group.get("last") or group.get("newest") or group.get("last_at")))
                        with Tag("td"), Tag("div", "row"):
                            button(t("Replay"), partial(self._ask, group, "replay"))
                            button(t("Discard"), partial(self._ask, group, "discard"), "plain")

    async def _ask(self, group: dict[str, Any], action: str) -> None:
        visitor, t = self._visitor, self._visitor.t
        selection = {name: group[name] for name in ("queue", "fingerprint") if group.get(name)}
        with self._place:
            dialog = Dialog(visitor, t("Replay") if action == "replay" else t("Discard"))
        with dialog.body:
            try:
                path, body = "/v1/dead-letters/plan", {"selection": selection}
                plan = await visitor.api.call("replay", "POST", path, body=body, action=action)
            except Trouble as trouble:
                notice("bad", *visitor.trouble(trouble))
                return
            count = visitor.texts.tn("{n} message", "{n} messages", plan["letters"])
            if action == "replay":
                Tag(
                    "p",
                    text=t(
                        "{count} will be sent to the queue again. What was processed before has no effect.", count=count
                    ),
                )
            else:
                Tag("p", text=t("{count} will be put away. They are kept, and can be restored.", count=count))
        with dialog.foot:
            dialog.cancel_button()
            button(t("OK"), partial(self._act, dialog, selection, action), "primary")

    async def _act(self, dialog: Dialog, selection: dict[str, Any], action: str) -> None:
        with dialog.body:
            try:
                path, body = f"/v1/dead-letters/{action}", {"selection": selection}
                await self._visitor.api.call("replay", "POST", path, body=body)
            except Trouble as trouble:
                notice("bad", *self._visitor.trouble(trouble))
                return
        dialog.close()
        await self.show()
        with self._place:
            notice("good", self._visitor.t("Begun. It is listed under Replays."))


async def _jobs(visitor: Visitor) -> None:
    t, texts = visitor.t, visitor.texts
    jobs = await visitor.api.get("replay", "/v1/jobs")
    if not jobs:
        empty("undo", t("No replays yet"), t("A replay that you begin above is followed here."))
        return
    with table(t("What"), t("By"), t("When"), t("State"), t("Done"), label=t("Replays")):
        for job in jobs[:20]:
            title, tone = STATES.get(job["state"], (job["state"], "calm"))
            with Tag("tr"):
                Tag("td", "first", job.get("action") or job.get("kind"))
                Tag("td", text=job.get("requested_by") or job.get("by") or "")
                Tag("td", text=texts.time(job.get("started_at") or job.get("requested_at") or job.get("begun_at")))
                with Tag("td"):
                    Tag("span", f"badge {tone}", t(title))
                Tag("td", "number", f"{texts.number(job.get('done') or 0)} / {texts.number(job.get('total') or 0)}")


def table(*titles: str, label: str) -> Tag:
    """A plain table with these headings; rows are drawn into what is returned."""
    with Tag("div", "sheet no-ticks"), Tag("div", "scroller", tabindex="0"), Tag("table", aria_label=label):
        with Tag("thead"), Tag("tr"):
            for title in titles:
                with Tag("th", scope="col"):
                    Tag("span", "plain-head", title)
        return Tag("tbody")
