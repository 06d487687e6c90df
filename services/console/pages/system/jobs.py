"""What operators had done, how far it is, and what came of it."""

from functools import partial
from typing import Any

from nicegui import ui

from services.console.components.markup import Tag, button, empty, plain_table
from services.console.components.shell import Visitor
from services.console.i18n import gettext_noop as _

LOOK_SECONDS = 2.0
MOST_JOBS = 20
KINDS = {
    "replay": _("Dead letters replayed"),
    "discard": _("Dead letters discarded"),
    "restore": _("Dead letters restored"),
    "archive": _("Archive replayed"),
}
STATES = {
    "running": (_("Running"), "warn"),
    "waiting": (_("Waiting for outcomes"), "warn"),
    "paused": (_("Paused"), "bad"),
    "finished": (_("Done"), "good"),
    "stopped": (_("Stopped"), "calm"),
    "failed": (_("Failed"), "bad"),
}
BUTTONS = {
    "running": (("pause", _("Pause")), ("stop", _("Stop it"))),
    "waiting": (("stop", _("Stop it")),),
    "paused": (("resume", _("Resume")), ("stop", _("Stop it"))),
}
"""What can be done with a job, by its state."""


class Jobs:
    """The latest jobs, drawn anew while something is at work."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._place = Tag("div", "stack")
        self._timer = ui.timer(LOOK_SECONDS, self.show, active=False)

    async def show(self) -> None:
        """Draw them."""
        t, texts = self._visitor.t, self._visitor.texts
        jobs = (await self._visitor.api.get("replay", "/v1/jobs"))["items"]
        self._timer.active = any(job["state"] in ("running", "waiting") for job in jobs)
        self._place.clear()
        with self._place:
            if not jobs:
                empty("undo", t("No replays yet"), t("Replays that you start above are listed here."))
                return
            titles = (t("What"), t("By"), t("When"), t("Status"), t("Sent"), t("Processed"), t("Failed again"), "")
            with plain_table(*titles, label=t("Replays")):
                for job in jobs[:MOST_JOBS]:
                    with Tag("tr"):
                        Tag("td", "first", t(KINDS.get(job["kind"], job["kind"])), title=job["why"] or None)
                        Tag("td", text=job["requested_by"])
                        Tag("td", text=texts.time(job["requested_at"]))
                        self._state(job)
                        Tag("td", "number", f"{texts.number(job['done'] or 0)} / {texts.number(job['total'] or 0)}")
                        for name in ("processed", "failed"):
                            # Only what goes into a queue by itself has an outcome of its own.
                            Tag("td", "number", texts.number(job[name]) if job["kind"] == "replay" else "")
                        with Tag("td"), Tag("div", "row"):
                            for action, title in BUTTONS.get(job["state"], ()):
                                button(t(title), partial(self._act, str(job["id"]), action))

    def _state(self, job: dict[str, Any]) -> None:
        t = self._visitor.t
        title, tone = STATES.get(job["state"], (job["state"], "calm"))
        with Tag("td", "wraps"):
            Tag("span", f"badge {tone}", t(title))
            if job["error"]:
                Tag("p", "quiet small", job["error"])

    async def _act(self, identity: str, action: str) -> None:
        with self._place, self._visitor.guarding():
            await self._visitor.api.call("replay", "POST", f"/v1/jobs/{identity}/{action}")
            await self.show()
