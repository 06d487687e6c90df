"""How the system is: services, queues with lag, dead letters in groups, replays. For operators at night."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from nicegui import ui

from services.console.api_client import Away, Trouble
from services.console.components.dialogs.dialog import Dialog
from services.console.components.markup import Tag, button, empty, notice
from services.console.components.shell import PARTS, Pages, Visitor, heading
from services.console.i18n import Texts, gettext_noop as _
from services.console.pages.system import archive_replay

SERVICES = tuple(PARTS)
LOOK_SECONDS, HEALTH_SECONDS = 2.0, 5.0
MOST_JOBS = 20
KINDS = {
    "replay": _("Dead letters replayed"),
    "discard": _("Dead letters discarded"),
    "restore": _("Dead letters restored"),
    "archive": _("Archive replayed"),
}
STATES = {
    "running": (_("Running"), "warn"),
    "finished": (_("Done"), "good"),
    "stopped": (_("Stopped"), "calm"),
    "failed": (_("Failed"), "bad"),
}


def add(pages: Pages) -> None:
    """Serve the page."""
    pages.add("/system", _("System"), system, "operate")


async def system(visitor: Visitor) -> None:
    """Draw the page; each part by itself, so that one that is away hides no other.

    Dead letters and the archive are of all tenants: who works for one alone does not see them.
    """
    t = visitor.t
    heading(t("System"), t("Nothing is ever thrown away: what could not be processed waits here for you."))
    with Tag("div", "cards"):
        with Tag("section", "card"):
            Tag("h2", text=t("Services and queues"))
            place = Tag("div")
        with place:
            health = Health(visitor)
        if not visitor.all_tenants:
            await _within(visitor, place, health.show)
            return
        with Tag("section", "card"):
            Tag("h2", text=t("Dead letters"))
            letters = Tag("div")
        with Tag("section", "card"):
            Tag("h2", text=t("The archive"))
            archive = Tag("div")
        with Tag("section", "card"):
            Tag("h2", text=t("Replays"))
            replays = Tag("div")
    with replays:
        jobs = Jobs(visitor)
    with letters:
        dead = Letters(visitor, jobs.show)
    with archive:
        archive_replay.show(visitor, jobs.show)
    await asyncio.gather(
        _within(visitor, place, health.show),
        _within(visitor, letters, dead.show),
        _within(visitor, replays, jobs.show),
    )


async def _within(visitor: Visitor, place: Tag, draw: Callable[[], Awaitable[None]]) -> None:
    """Draw a part in its place beside the others; what goes wrong is said there."""
    with place, visitor.guarding():
        await draw()


async def _health(visitor: Visitor, service: str) -> dict[str, Any] | None:
    try:
        answer = await visitor.api.services.look(service, "/health/ready")
    except Away:
        return None
    return dict(answer)


class Health:
    """One line a service, and below it the queues in which something waits or that are held; refreshed."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._place = Tag("div", "stack")
        ui.timer(HEALTH_SECONDS, self.show, immediate=False)

    async def show(self) -> None:
        """Draw it as it is now, with the time."""
        t = self._visitor.t
        found = await asyncio.gather(*(_health(self._visitor, service) for service in SERVICES))
        self._place.clear()
        with self._place:
            now = self._visitor.texts.clock(datetime.now(UTC))
            Tag("p", "quiet small", t("As of {time}; refreshed every {n} seconds.", time=now, n=int(HEALTH_SECONDS)))
            for service, health in zip(SERVICES, found, strict=True):
                if health is None:
                    notice("warn", *self._visitor.trouble(Away(service)))
            titles = (t("Service"), t("Status"), t("Broker"), t("Database"), t("Outbox"), t("Waiting"), t("Lag"))
            with table(*titles, label=t("Services and queues")):
                for service, health in zip(SERVICES, found, strict=True):
                    self._service(service, health)

    def _service(self, service: str, health: dict[str, Any] | None) -> None:
        texts = self._visitor.texts
        if health is None:
            self._line(service, None, *[""] * 5)
            return
        queues: dict[str, Any] = health.get("consumers") or {}
        waiting = sum(state.get("waiting") or 0 for state in queues.values())
        lag = max((state.get("lag_seconds") or 0 for state in queues.values()), default=0)
        outbox = health.get("outbox")
        self._line(
            service, bool(health["ok"]), self._part(health.get("broker")), self._part(health.get("database")),
            "" if outbox is None else texts.number(outbox), texts.number(waiting), _seconds(texts, lag),
        )  # fmt: skip
        for queue, state in queues.items():
            if state.get("waiting") or not state.get("ok", True):
                held = texts.number(state["waiting"]) if state.get("waiting") is not None else "?"
                self._line(queue, bool(state.get("ok", True)), "", "", "", held, _seconds(texts, state["lag_seconds"]))

    def _part(self, state: str | None) -> str:
        return "" if state is None else "OK" if state == "ok" else self._visitor.t("Unavailable")

    def _line(self, name: str, well: bool | None, *cells: str) -> None:
        t = self._visitor.t
        badges = {None: (t("Does not answer"), "bad"), True: (t("OK"), "good"), False: (t("Paused"), "bad")}
        title, tone = badges[well]
        with Tag("tr"):
            Tag("td", "first", name)
            with Tag("td"):
                Tag("span", f"badge {tone}", title)
            for cell in cells:
                Tag("td", "number", cell)


def _seconds(texts: Texts, lag: float) -> str:
    return f"{texts.number(round(lag, 1))} s"


class Letters:
    """Dead letters by what went wrong, with replay and discard."""

    def __init__(self, visitor: Visitor, on_begun: Callable[[], Awaitable[None]]) -> None:
        self._visitor, self._on_begun = visitor, on_begun
        self._place = Tag("div", "stack")

    async def show(self) -> None:
        """Draw the groups."""
        t, texts = self._visitor.t, self._visitor.texts
        groups = (await self._visitor.api.get("replay", "/v1/dead-letters/groups", state="dead"))["items"]
        self._place.clear()
        with self._place:
            if not groups:
                empty("ok", t("No dead letters"), t("Everything that came in was processed."))
                return
            with table(t("Queue"), t("What went wrong"), t("Number"), t("Last"), "", label=t("Dead letters")):
                for group in groups:
                    with Tag("tr"):
                        Tag("td", "first", group.get("queue") or t("no queue"))
                        Tag("td", "wraps", group["error"] or str(group["fingerprint"]))
                        Tag("td", "number", texts.number(group["count"]))
                        Tag("td", text=texts.time(group["last"]))
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
            count = visitor.texts.tn("{n} message", "{n} messages", plan["dead_letters"])
            if action == "replay":
                Tag(
                    "p",
                    text=t(
                        "{count} will be sent to the queue again. What was processed before has no effect.", count=count
                    ),
                )
            else:
                Tag("p", text=t("{count} will be discarded. They are kept, and can be restored.", count=count))
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
        await self._on_begun()
        await self.show()
        with self._place:
            notice("good", self._visitor.t("Started. It is listed under Replays."))


class Jobs:
    """What operators had done again, with how far it is; drawn anew while something is at work."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._place = Tag("div", "stack")
        self._timer = ui.timer(LOOK_SECONDS, self.show, active=False)

    async def show(self) -> None:
        """Draw them."""
        t, texts = self._visitor.t, self._visitor.texts
        jobs = (await self._visitor.api.get("replay", "/v1/jobs"))["items"]
        self._timer.active = any(job["state"] == "running" for job in jobs)
        self._place.clear()
        with self._place:
            if not jobs:
                empty("undo", t("No replays yet"), t("Replays that you start above are listed here."))
                return
            with table(t("What"), t("By"), t("When"), t("Status"), t("Done"), "", label=t("Replays")):
                for job in jobs[:MOST_JOBS]:
                    title, tone = STATES.get(job["state"], (job["state"], "calm"))
                    with Tag("tr"):
                        Tag("td", "first", t(KINDS.get(job["kind"], job["kind"])))
                        Tag("td", text=job["requested_by"])
                        Tag("td", text=texts.time(job["requested_at"]))
                        with Tag("td"):
                            Tag("span", f"badge {tone}", t(title), title=job["error"])
                        Tag("td", "number", f"{texts.number(job['done'] or 0)} / {texts.number(job['total'] or 0)}")
                        with Tag("td"):
                            if job["state"] == "running":
                                button(t("Stop it"), partial(self._stop, str(job["id"])))

    async def _stop(self, identity: str) -> None:
        with self._place, self._visitor.guarding():
            await self._visitor.api.call("replay", "POST", f"/v1/jobs/{identity}/stop")
            await self.show()


def table(*titles: str, label: str) -> Tag:
    """A plain table with these headings; rows are drawn into what is returned."""
    with Tag("div", "sheet no-ticks"), Tag("div", "scroller", tabindex="0"), Tag("table", aria_label=label):
        with Tag("thead"), Tag("tr"):
            for title in titles:
                with Tag("th", scope="col"):
                    Tag("span", "plain-head", title)
        return Tag("tbody")
