"""A dialog over the page."""

from collections.abc import Awaitable, Callable

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from services.console.components.markup import Tag, button
from services.console.components.shell import Visitor


class _Dialog(Element, component="dialog.js"):
    """The dialog in the browser."""


class Dialog:
    """A dialog, open from when it is made until `close`; `with dialog.body:` fills it, and `with dialog.foot:`."""

    def __init__(self, visitor: Visitor, title: str, on_shut: Callable[[], Awaitable[None]] | None = None) -> None:
        """`on_shut` is told when the visitor shuts it without a button of ours."""
        self._place = Tag("div")
        with self._place:
            self._dialog = _Dialog()
        self._dialog.props["title"] = title
        self._dialog.on("shut", self._shut)
        with self._dialog:
            self.body = Tag("div", "stack")
        self.foot = self._dialog.add_slot("foot")
        self._visitor, self._on_shut = visitor, on_shut

    def cancel_button(self, text: str | None = None) -> None:
        """The way out that changes nothing."""
        button(text or self._visitor.t("Cancel"), self.close)

    def empty_foot(self) -> None:
        """Take the buttons away, for others."""
        for child in list(self.foot.children):
            child.delete()

    def close(self) -> None:
        """Close it."""
        if not self._place.is_deleted:
            self._place.delete()

    async def _shut(self, _: GenericEventArguments) -> None:
        if self._place.is_deleted:
            return
        self.close()
        if self._on_shut is not None:
            await self._on_shut()
