"""Services and queues: one line a service, and those queues in which something waits or that take nothing."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Any

from nicegui import ui

from services.console.api_client import Away, Trouble
from services.console.components.dialogs.dialog import Dialog
from services.console.components.field import Field
from services.console.components.markup import Tag, button, notice, plain_table
from services.console.components.shell import PARTS, Visitor
from services.console.i18n import Texts

SERVICES = tuple(PARTS)
HEALTH_SECONDS = 5.0
MIN_WHY = 3
"""Characters that a reason has, as the services ask."""


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
        self._timer = ui.timer(HEALTH_SECONDS, self.show, immediate=False)

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
            titles = (t("Service"), t("Status"), t("Broker"), t("Database"), t("Outbox"), t("Waiting"), t("Lag"), "")
            with plain_table(*titles, label=t("Services and queues")):
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
                well = bool(state.get("ok", True))
                lag_text = _seconds(texts, state["lag_seconds"])
                self._line(queue, well, "", "", "", held, lag_text, why=self._why(state), act=self._act_of(state))

    def _part(self, state: str | None) -> str:
        return "" if state is None else "OK" if state == "ok" else self._visitor.t("Unavailable")

    def _why(self, state: dict[str, Any]) -> str:
        """Say why a queue is not consumed; nothing when it is."""
        t = self._visitor.t
        if pause := state.get("paused_by"):
            return t("{name}: {why}", name=pause["by"], why=pause["why"])
        if failing := state.get("failing"):
            return t("Too many events fail: {error}", error=failing["error"])
        return t("Database or RabbitMQ unavailable") if state.get("paused_seconds") is not None else ""

    def _line(self, name: str, well: bool | None, *cells: str, why: str = "", act: str = "") -> None:
        t = self._visitor.t
        badges = {None: (t("Does not answer"), "bad"), True: (t("OK"), "good"), False: (t("Paused"), "bad")}
        title, tone = badges[well]
        with Tag("tr"):
            Tag("td", "first", name)
            with Tag("td"):
                Tag("span", f"badge {tone}", title)
                if why:
                    Tag("p", "quiet small", why)
            for cell in cells:
                Tag("td", "number", cell)
            with Tag("td"):
                if act:
                    words = t("Resume") if act == "resume" else t("Pause")
                    button(words, partial(self._ask, name, act, words), "plain")

    def _act_of(self, state: dict[str, Any]) -> str:
        if not self._visitor.all_tenants:  # a queue has events of all tenants
            return ""
        return "resume" if state.get("paused_by") or state.get("failing") else "pause"

    async def _ask(self, queue: str, act: str, title: str) -> None:
        t = self._visitor.t
        self._timer.active = False  # else the next look draws over the question
        with self._place:
            dialog = Dialog(self._visitor, title, self._closed)
        with dialog.body:
            words = t("Nothing is taken from {queue} until it is resumed, restarts included.", queue=queue)
            Tag("p", text=words if act == "pause" else t("{queue} is consumed again at once.", queue=queue))
            why = Field(t("Why"), help=t("The audit keeps it."), maxlength=200)
        with dialog.foot:
            button(t("Cancel"), partial(self._close, dialog))
            button(t("OK"), partial(self._act, dialog, queue, act, why), "primary")

    async def _act(self, dialog: Dialog, queue: str, act: str, why: Field) -> None:
        reason = str(why.value).strip()
        if len(reason) < MIN_WHY:
            why.wrong(self._visitor.t("Say why."))
            return
        with dialog.body:
            try:
                path = f"/v1/consumers/{queue}/{act}"
                await self._visitor.api.call(queue.partition(".")[0], "POST", path, why=reason)
            except Trouble as trouble:
                notice("bad", *self._visitor.trouble(trouble))
                return
        await self._close(dialog)

    async def _close(self, dialog: Dialog) -> None:
        dialog.close()
        await self._closed()

    async def _closed(self) -> None:
        self._timer.active = True
        await self.show()


def _seconds(texts: Texts, lag: float) -> str:
    return f"{texts.number(round(lag, 1))} s"
