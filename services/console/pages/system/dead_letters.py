"""Dead letters by what went wrong: look at one, replay, discard."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from services.console.api_client import Trouble
from services.console.components.dialogs.dialog import Dialog
from services.console.components.field import Field
from services.console.components.markup import Tag, button, empty, notice, plain_table
from services.console.components.shell import Visitor
from services.console.pages.system.health import MIN_WHY


class DeadLetters:
    """The groups, and what can be done with each."""

    def __init__(self, visitor: Visitor, on_begun: Callable[[], Awaitable[None]]) -> None:
        self._visitor, self._on_begun = visitor, on_begun
        self._tenant = None if visitor.all_tenants else visitor.api.tenant
        self._place = Tag("div", "stack")

    async def show(self) -> None:
        """Draw the groups."""
        t, texts = self._visitor.t, self._visitor.texts
        path = "/v1/dead-letters/groups"
        groups = (await self._visitor.api.get("replay", path, state="dead", tenant=self._tenant))["items"]
        self._place.clear()
        with self._place:
            if not groups:
                empty("ok", t("No dead letters"), t("Everything that came in was processed."))
                return
            with plain_table(t("Queue"), t("What went wrong"), t("Number"), t("Last"), "", label=t("Dead letters")):
                for group in groups:
                    with Tag("tr"):
                        Tag("td", "first", group.get("queue") or t("no queue"))
                        Tag("td", "wraps", group["error"] or str(group["fingerprint"]))
                        Tag("td", "number", texts.number(group["count"]))
                        Tag("td", text=texts.time(group["last"]))
                        with Tag("td"), Tag("div", "row"):
                            button(t("Replay"), partial(self._ask, group, "replay"))
                            button(t("Discard"), partial(self._ask, group, "discard"), "plain")
                            button(t("Look at one"), partial(self._look, str(group["sample"])), "plain")

    async def _ask(self, group: dict[str, Any], action: str) -> None:
        visitor, t = self._visitor, self._visitor.t
        selection = {name: group[name] for name in ("queue", "fingerprint") if group.get(name)}
        with self._place:
            dialog = Dialog(visitor, t("Replay") if action == "replay" else t("Discard"))
        with dialog.body:
            try:
                path, body = "/v1/dead-letters/plan", {"selection": selection}
                plan = await visitor.api.call("replay", "POST", path, body=body, action=action, tenant=self._tenant)
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
                Tag("p", "quiet", t("A few go first. It pauses when one fails again."))
            else:
                Tag("p", text=t("{count} will be discarded. They are kept, and can be restored.", count=count))
            for one in plan["impossible"]:
                left = visitor.texts.tn("{n} message", "{n} messages", one["count"])
                notice("warn", t("{count} stay where they are: {why}", count=left, why=one["why"]))
            why = Field(t("Why"), help=t("The audit keeps it."), maxlength=200)
        with dialog.foot:
            dialog.cancel_button()
            if plan["dead_letters"]:
                wanted = {"selection": selection, "confirm": plan["dead_letters"]}
                button(t("OK"), partial(self._act, dialog, wanted, action, why), "primary")

    async def _act(self, dialog: Dialog, wanted: dict[str, Any], action: str, why: Field) -> None:
        if not self._is_said(why):
            return
        with dialog.body:
            try:
                path, body = f"/v1/dead-letters/{action}", {**wanted, "why": str(why.value).strip()}
                await self._visitor.api.call("replay", "POST", path, body=body, tenant=self._tenant)
            except Trouble as trouble:
                notice("bad", *self._visitor.trouble(trouble))
                return
        dialog.close()
        await self._on_begun()
        await self.show()
        with self._place:
            notice("good", self._visitor.t("Started. It is listed under Replays."))

    async def _look(self, identity: str) -> None:
        visitor, t = self._visitor, self._visitor.t
        with self._place:
            dialog = Dialog(visitor, t("Dead letter"))
        with dialog.body:
            try:
                found = await visitor.api.get("replay", f"/v1/dead-letters/{identity}", tenant=self._tenant)
            except Trouble as trouble:
                notice("bad", *visitor.trouble(trouble))
                return
            with Tag("dl", "facts"):
                for title, value in (
                    (t("Queue"), found["queue"]), (t("Event"), found["event_id"]), (t("Kind"), found["event_type"]),
                    (t("Customer"), found["tenant"]), (t("Mailing"), found["mailing"]),
                    (t("Attempts"), str(found["attempt"])), (t("Release"), found["release"]),
                    (t("What went wrong"), found["error"]),
                ):  # fmt: skip
                    if value:
                        with Tag("div"):
                            Tag("dt", text=title)
                            Tag("dd", text=value)
            if found["stack"]:
                Tag("pre", "small", found["stack"], tabindex="0")
            why = Field(t("Why do you look at the content?"), help=t("It may hold addresses. The audit keeps it."))
            content = Tag("div")
        with dialog.foot:
            dialog.cancel_button(t("Close"))
            button(t("Show the content"), partial(self._content, identity, why, content))

    async def _content(self, identity: str, why: Field, place: Tag) -> None:
        if not self._is_said(why):
            return
        place.clear()
        with place:
            try:
                api = self._visitor.api
                raw = await api.raw("replay", f"/v1/dead-letters/{identity}/body", why=str(why.value).strip())
            except Trouble as trouble:
                notice("bad", *self._visitor.trouble(trouble))
                return
            Tag("pre", "small", raw.decode(errors="backslashreplace"), tabindex="0")

    def _is_said(self, why: Field) -> bool:
        given = len(str(why.value).strip()) >= MIN_WHY
        why.wrong("" if given else self._visitor.t("Say why."))
        return given
