"""How far an operation is, followed by its events until it ends; a page that is loaded anew follows it again."""

from typing import Any

import orjson
from nicegui import background_tasks

from services.console.api_client import Trouble
from services.console.components.markup import Tag, button, link, notice
from services.console.components.shell import Visitor
from services.console.i18n import operations as words


class Progress:
    """The bar of one operation, and what can be done about it."""

    def __init__(self, visitor: Visitor, identity: str, operation: str) -> None:
        self._visitor, self._id, self._operation = visitor, identity, operation
        self._box = Tag("div", "stack", aria_live="polite")
        self._state = ""

    async def run(self) -> None:
        """Show it, and follow it until its end."""
        try:
            await self._show(await self._visitor.api.get("actions", f"/v1/operations/{self._id}"))
            await self._listen()
        except Trouble as trouble:
            with self._box:
                notice("warn", *self._visitor.trouble(trouble))

    async def _listen(self) -> None:
        if self._state in words.ENDED:
            return
        api = self._visitor.api
        path, parameters = f"/v1/operations/{self._id}/events", {"tenant": api.tenant}
        async with api.services.stream("actions", path, token=api.token, parameters=parameters) as answer:
            async for line in answer.aiter_lines():
                if self._box.is_deleted:
                    return
                if line.startswith("data: "):
                    await self._show(orjson.loads(line.removeprefix("data: ")))

    async def _show(self, told: dict[str, Any]) -> None:
        self._state = told["state"]
        self._box.clear()
        texts, t = self._visitor.texts, self._visitor.t
        with self._box:
            if self._state in words.ENDED:
                await self._ended(told)
                return
            Tag("progress", max=max(told["rows"], 1), value=told["settled"], aria_label=t("Progress"))
            Tag("p", "quiet", t("{done} of {all}", done=texts.number(told["settled"]), all=texts.number(told["rows"])))
            Tag("p", "quiet small", t("It goes on if you close this. You find it under Operations."))
            if self._state in ("queued", "running"):
                button(t("Stop it"), self._cancel)

    async def _ended(self, told: dict[str, Any]) -> None:
        texts, t = self._visitor.texts, self._visitor.t
        if self._state == "failed":
            notice("bad", t("It failed."), told.get("error") or t("What was done stays; nothing else was changed."))
        elif self._state == "finished":
            notice("good", texts.tn("Done: {n} address.", "Done: {n} addresses.", told["done"]))
        else:
            notice("calm", t(words.STATES[self._state]))
        if self._operation == "export" and self._state == "finished":
            link(t("Download the file"), f"/downloads/{self._id}", "button primary", download=True)
            return
        known = await self._visitor.api.get("actions", f"/v1/operations/{self._id}")
        if known.get("can_be_undone"):
            button(t("Undo"), self._undo, picture="undo")

    async def _undo(self) -> None:
        await self._ask("undo")

    async def _cancel(self) -> None:
        await self._ask("cancel")

    async def _ask(self, what: str) -> None:
        with self._box:
            try:
                await self._visitor.api.call("actions", "POST", f"/v1/operations/{self._id}/{what}", body=None)
            except Trouble as trouble:
                notice("bad", *self._visitor.trouble(trouble))
                return
        self._follow()

    def _follow(self) -> None:
        background_tasks.create(self.run(), name=f"operation {self._id}")

    def begin(self) -> None:
        """Follow it beside what else the page does."""
        self._follow()


async def follow(visitor: Visitor, identity: str, operation: str) -> None:
    """Show how far an operation is, here, until it has ended."""
    Progress(visitor, identity, operation).begin()
