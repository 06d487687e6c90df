"""Sending events of the archive into a queue once more: what was processed before has no effect."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from returpost.contracts.routing import EVENTS
from services.console.api_client import Trouble
from services.console.components.dialogs.dialog import Dialog
from services.console.components.field import Field
from services.console.components.markup import Tag, button, notice
from services.console.components.shell import Visitor
from services.console.i18n import gettext_noop as _
from shared.messaging.topology import queues

FORM = "%Y-%m-%dT%H:%M"
"""Of times in the fields of a browser."""
EVENT_WORDS = {
    "delivery.recorded": _("Delivery results"),
    "bounce.received": _("Bounces"),
    "bounce.classified": _("Verdicts on bounces"),
    "address.blocked": _("Addresses that were blocked"),
    "address.unblocked": _("Addresses that were unblocked"),
    "address.erased": _("Addresses that were deleted"),
    "block.cleared": _("Bounce-flags that were cleared"),
    "block.applied": _("Blocks that were set manually"),
}


def takers() -> dict[str, str]:
    """Return the queues that take events, each with the kind of event, such as `bounce.classified`."""
    found = {}
    for queue in queues(()):
        keys = [binding.key for binding in queue.bindings if binding.exchange == EVENTS]
        if queue.arguments.get("x-queue-type") == "quorum" and keys:
            found[queue.name] = ".".join(keys[0].split(".")[:2])
    return found


def show(visitor: Visitor, on_begun: Callable[[], Awaitable[None]]) -> None:
    """Draw the form."""
    Form(visitor, on_begun).show()


class Form:
    """What to send again, into which queue, of which time."""

    def __init__(self, visitor: Visitor, on_begun: Callable[[], Awaitable[None]]) -> None:
        self._visitor, self._on_begun = visitor, on_begun

    def show(self) -> None:
        """Draw it."""
        t, zone = self._visitor.t, self._visitor.texts.zone
        kinds = takers()
        known = {name: f"{name}: {t(EVENT_WORDS.get(kind, kind))}" for name, kind in sorted(kinds.items())}
        now = datetime.now(zone)
        Tag("p", "quiet", t("Every event is kept. A service that lost something gets it again from here."))
        with Tag("div", "fields-row"):
            self._into = Field(t("Into the queue"), "select", next(iter(known)), choices=known)
            begin = (now - timedelta(days=1)).strftime(FORM)
            self._since = Field(t("From"), "datetime-local", begin)
            self._until = Field(t("Until"), "datetime-local", now.strftime(FORM))
            tenant = self._visitor.api.tenant
            self._alone = Field(t("Only {tenant}", tenant=tenant), "checkbox", True)
        self._said = Tag("div", aria_live="polite")
        button(t("Count them"), self._plan)

    def _selection(self) -> dict[str, Any] | None:
        """Return what is meant, or nothing when a time is missing."""
        into = str(self._into.value)
        try:
            since, until = (
                datetime.strptime(str(field.value)[:16], FORM).replace(tzinfo=self._visitor.texts.zone)
                for field in (self._since, self._until)
            )
        except ValueError:
            return None
        return {
            "type": f"returpost.{takers()[into]}.v1", "into": into, "since": since.isoformat(),
            "until": until.isoformat(), "tenant": self._visitor.api.tenant if self._alone.value else None,
        }  # fmt: skip

    async def _plan(self) -> None:
        visitor, t, selection = self._visitor, self._visitor.t, self._selection()
        self._said.clear()
        with self._said:
            if selection is None:
                notice("bad", t("Say from when until when."))
                return
            try:
                body = {"selection": selection}
                told = await visitor.api.call("replay", "POST", "/v1/archive/plan", body=body)
            except Trouble as trouble:
                notice("bad", *visitor.trouble(trouble))
                return
            dialog = Dialog(visitor, t("Replay the archive"))
        self._ask(dialog, selection, told)

    def _ask(self, dialog: Dialog, selection: Mapping[str, Any], told: Mapping[str, Any]) -> None:
        t, count = self._visitor.t, told["events"]
        with dialog.body:
            number = self._visitor.texts.tn("{n} event", "{n} events", count)
            least = number if told.get("complete", True) else t("more than {n}", n=number)
            Tag("p", text=t("{count} would be sent into {queue} again.", count=least, queue=selection["into"]))
            Tag("p", "quiet", t("What was processed before is recognised, and has no effect."))
        with dialog.foot:
            dialog.cancel_button()
            if count:
                button(t("OK"), partial(self._begin, dialog, selection, count), "primary")

    async def _begin(self, dialog: Dialog, selection: Mapping[str, Any], count: int) -> None:
        with dialog.body:
            try:
                body = {"selection": selection}
                await self._visitor.api.call("replay", "POST", "/v1/archive/replay", body=body, expected=count)
            except Trouble as trouble:
                notice("bad", *self._visitor.trouble(trouble))
                return
        dialog.close()
        await self._on_begun()
        with self._said:
            notice("good", self._visitor.t("Started. It is listed under Replays."))
