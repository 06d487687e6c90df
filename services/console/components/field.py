"""A field of a form, which tells while somebody types."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments

Told = Callable[[Any], Awaitable[object] | None]


class Field(Element, component="field.js"):
    """One field. `kind` is text, email, number, password, select, textarea, checkbox."""

    def __init__(
        self,
        label: str,
        kind: str = "text",
        value: Any = "",
        *,
        on_typed: Told | None = None,
        choices: Mapping[str, str] | None = None,
        help: str = "",  # noqa: A002 - what it is
        unlabelled: bool = False,
        **attributes: Any,
    ) -> None:
        super().__init__()
        self.value = value
        self._on_typed = on_typed
        self._on_picked: Told | None = None
        self.props["label"], self.props["kind"], self.props["value"] = label, kind, value
        self.props["help"] = help or None
        self.props["attributes"] = {name.strip("_").replace("_", "-"): given for name, given in attributes.items()}
        self.props["choices"] = [{"value": key, "text": text} for key, text in (choices or {}).items()]
        if unlabelled:
            self.props["unlabelled"] = True
        self.on("typed", self._typed)
        self.on("picked", self._picked)

    def on_typed(self, told: Told) -> None:
        """Tell this one what is typed."""
        self._on_typed = told

    def finds(self, on_picked: Told) -> "Field":
        """Make it a field that offers what it finds, and tells what was picked."""
        self._on_picked = on_picked
        self.props["options"] = []
        return self

    def offer(self, options: Sequence[tuple[str, str, str]]) -> None:
        """Offer these: value, text and what else is to be known."""
        self.props["options"] = [{"value": value, "text": text, "more": more} for value, text, more in options]
        self.update()

    def wrong(self, text: str) -> None:
        """Say what is wrong with what was typed; nothing: it is fine."""
        self.props["wrong"] = text or None
        self.update()

    def put(self, value: Any) -> None:
        """Put a value in."""
        self.value = value
        self.props["value"] = value
        self.update()

    async def _typed(self, event: GenericEventArguments) -> None:
        self.value = event.args
        self._props["value"] = event.args  # the browser has it already
        await _told(self._on_typed, self.value)

    async def _picked(self, event: GenericEventArguments) -> None:
        await _told(self._on_picked, event.args)


async def _told(tell: Told | None, value: Any) -> None:
    waiting = tell(value) if tell else None
    if waiting is not None:
        await waiting
