"""Plain HTML elements, written short. Texts are texts: nothing here is read as HTML."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui.element import Element

_CONTROLS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that turn the direction of text, by which one name can look like another: Unicode TR 36, section 2.9."""
Act = Callable[[], Awaitable[None] | None]


def plain(text: str) -> str:
    """Return a text in which characters that turn its direction are seen, and do nothing."""
    return _CONTROLS.sub("\ufffd", text)


class Tag(Element):
    """One HTML element: `Tag("p", "quiet", "text", id="x")`; attributes with `_` for `-`."""

    def __init__(self, kind: str, /, classes: str = "", text: str | None = None, **attributes: Any) -> None:
        super().__init__(kind)
        self._text = text if text is None else plain(text)
        if classes:
            self.classes(classes)
        for attribute, value in attributes.items():
            if value is not None and value is not False:
                self.props[attribute.strip("_").replace("_", "-")] = value

    def say(self, text: str) -> None:
        """Show another text."""
        if text != self._text:
            self._text = text
            self.update()


def icon(name: str, classes: str = "") -> Tag:
    """An icon that says nothing to those who do not see it; the text beside it does."""
    drawn = Tag("svg", f"icon {classes}", aria_hidden="true")
    with drawn:
        Tag("use", href=f"/assets/icons.svg#{name}")
    return drawn


def button(text: str, act: Act, classes: str = "", picture: str | None = None, **attributes: Any) -> Tag:
    """A button that does something."""
    made = Tag("button", f"button {classes}", type="button", **attributes)
    with made:
        if picture:
            icon(picture)
        Tag("span", text=text)
    made.on("click", act)
    return made


def link(text: str, target: str, classes: str = "", **attributes: Any) -> Tag:
    """A link to a page."""
    return Tag("a", classes, text, href=target, **attributes)


def notice(tone: str, text: str, more: str = "", way: tuple[str, str] | None = None) -> Tag:
    """A message within the page: `tone` is good, calm, warn or bad; `way` is what leads out of it, and where."""
    box = Tag("div", f"notice {tone}", role="alert" if tone in ("warn", "bad") else "status")
    with box:
        icon({"good": "ok", "calm": "list"}.get(tone, "warning"))
        with Tag("div"):
            Tag("strong", text=text)
            if more:
                Tag("p", text=more)
            if way is not None:
                link(*way)
    return box


def empty(picture: str, title: str, what_to_do: str) -> Tag:
    """What is shown in the place of nothing: what would be here, and how to come to it."""
    box = Tag("div", "empty")
    with box:
        icon(picture)
        Tag("h2", text=title)
        Tag("p", text=what_to_do)
    return box


def plain_table(*titles: str, label: str) -> Tag:
    """A plain table with these headings; rows are drawn into what is returned."""
    with Tag("div", "sheet plain no-ticks"), Tag("div", "scroller", tabindex="0"), Tag("table", aria_label=label):
        with Tag("thead"), Tag("tr"):
            for title in titles:
                with Tag("th", scope="col"):
                    Tag("span", "plain-head", title)
        return Tag("tbody")
