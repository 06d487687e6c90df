"""How far an operation is, followed by its events until it ends; a page that is loaded anew follows it again."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from nicegui import background_tasks
from nicegui.element import Element

from services.console.api_client import Trouble
from services.console.components.markup import Tag, button, icon, link, notice
from services.console.components.shell import Visitor
from services.console.i18n import operations as words

After = Callable[[], Awaitable[None]]


class _Download(Element, component="download.js"):
    """A link to a file."""


class Progress:
    """The bar of one operation, then what came of it, with undo; `after` is told of its end, and of that of an undo."""

    def __init__(
        self, visitor: Visitor, identity: str, operation: str, after: After | None = None, *, fresh: bool = False
    ) -> None:
        """`fresh`: begun on this page just now, so that a file that it makes is fetched by itself."""
        self._visitor, self._id, self._operation = visitor, identity, operation
        self._after, self._fresh = after, fresh
        self._box = Tag("div", "stack", aria_live="polite")
        self._state = ""

    async def run(self) -> None:
        """Show it, and follow it until its end."""
        try:
            await self._show(await self._visitor.api.get("actions", f"/v1/operations/{self._id}"))
            if self._state not in words.ENDED:
                await self._listen()
        except Trouble as trouble:
            with self._box:
                notice("warn", *self._visitor.trouble(trouble))
            return
        if self._after is not None and not self._box.is_deleted:
            await self._after()

    async def _listen(self) -> None:
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
        if self._state in words.ENDED:  # with all that is known of it
            told = await self._visitor.api.get("actions", f"/v1/operations/{self._id}")
        self._box.clear()
        texts, t = self._visitor.texts, self._visitor.t
        with self._box:
            if self._state in words.ENDED:
                self._ended(told)
                return
            Tag("progress", max=max(told["rows"], 1), value=told["settled"], aria_label=t("Progress"))
            Tag("p", "quiet", t("{done} of {all}", done=texts.number(told["settled"]), all=texts.number(told["rows"])))
            if self._state in ("queued", "running"):
                with Tag("div", "row"):
                    button(t("Stop it"), self._cancel)
                    link(t("Details"), f"/operations/{self._id}")

    def _ended(self, told: dict[str, Any]) -> None:
        texts, t = self._visitor.texts, self._visitor.t
        if self._state == "failed":
            notice("bad", t("It failed."), told.get("error") or t("What was done stays; nothing else was changed."))
        elif self._state == "finished":
            notice("good", words.done(texts, told), words.skipped(texts, told["outcomes"]))
        else:
            notice("calm", t(words.STATES[self._state]))
        with Tag("div", "row"):
            if self._operation == "export" and self._state == "finished":
                shown = _Download()
                shown.props["href"], shown.props["text"] = f"/downloads/{self._id}", t("Download the file")
                shown.props["fresh"] = self._fresh
                self._fresh = False
            if told["can_be_undone"] and self._visitor.may("write"):
                button(t("Undo"), self._undo, picture="undo")
            if self._visitor.path != f"/operations/{self._id}":
                link(t("Details"), f"/operations/{self._id}")

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
        self.begin()

    def begin(self) -> None:
        """Follow it beside what else the page does."""
        background_tasks.create(self.run(), name=f"operation {self._id}")


class Toast:
    """An operation that is followed in a corner of the page, until somebody closes it."""

    def __init__(
        self,
        visitor: Visitor,
        identity: str,
        operation: str,
        after: After,
        *,
        fresh: bool,
        closed: Callable[[], None] = lambda: None,
    ) -> None:
        if visitor.toasts is None:
            raise RuntimeError("the page has no place for notices")
        title = visitor.t(words.NAMES.get(operation, operation))
        with visitor.toasts:
            self._box = Tag("div", "toast", role="group", aria_label=title)
        with self._box:
            with Tag("div", "toast-head"):
                Tag("strong", text=title)
                with Tag("button", "button plain", type="button", aria_label=visitor.t("Close")) as shut:
                    icon("close")
                shut.on("click", self._close)
            Progress(visitor, identity, operation, after, fresh=fresh).begin()
        self._closed = closed

    def _close(self) -> None:
        self._box.delete()
        self._closed()
