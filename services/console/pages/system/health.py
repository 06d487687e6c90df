"""Services and queues: one line a service, and those queues in which something waits or that take nothing."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from nicegui import ui

from services.console.api_client import Away
from services.console.components.markup import Tag, notice, plain_table
from services.console.components.shell import PARTS, Visitor
from services.console.i18n import Texts

SERVICES = tuple(PARTS)
HEALTH_SECONDS = 5.0


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
