"""Two flows as moving pictures, in both languages; over the system of `screenshots`, which imports this."""

import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from services.console.i18n import LANGUAGES, Texts
from tests.console import pictured
from tests.console.conftest import System, Visit
from tests.support.animated_png import animated

FOLDER = pictured.SCREENSHOTS
STEP, END = 1_300, 2_600
"""Milliseconds that a step is shown, and the last one."""
POINTER = """([x, y]) => {
  let dot = document.getElementById("pointer");
  if (!dot) {
    dot = Object.assign(document.createElement("div"), { id: "pointer" });
    document.body.append(dot);
  }
  const place = document.querySelector("dialog[open]") ?? document.body;
  place.append(dot);
  const look = "width:22px;height:22px;border-radius:50%;background:#e0a83e88;border:2px solid #a05a00;z-index:999";
  dot.setAttribute("style", `position:fixed;left:${x - 11}px;top:${y - 11}px;pointer-events:none;${look}`);
}"""
"""Shows where the next click goes."""


class Recording:
    """Takes a picture at each step, with the pointer where the click goes."""

    def __init__(self, page: Page) -> None:
        self._page, self._frames = page, list[tuple[bytes, int]]()

    def click(self, target: Any) -> None:
        """Show where, then click."""
        expect(target).to_be_visible()
        target.hover(trial=True)  # it stands still
        box = target.bounding_box()
        self._page.evaluate(POINTER, [box["x"] + min(box["width"] / 2, 60), box["y"] + box["height"] / 2])
        self.shot()
        target.click()
        self._page.evaluate("document.getElementById('pointer')?.remove()")

    def shot(self, milliseconds: int = STEP) -> None:
        """Take a picture."""
        self._page.wait_for_timeout(250)
        self._frames.append((self._page.screenshot(), milliseconds))

    def save(self, name: str) -> None:
        """Write all of it."""
        file = FOLDER / f"{name}.png"
        file.write_bytes(animated(self._frames))
        sys.stderr.write(f"{file}: {file.stat().st_size // 1024} KB, {len(self._frames)} steps\n")


def select_returned(page: Page, take: Recording, t: Callable[..., str]) -> None:
    """All that bounced in a mailing into a new selection."""
    take.shot()
    take.click(page.locator(".filters button", has_text=t("Bounced")))
    take.click(page.get_by_role("checkbox", name=t("Select all on this page")))
    take.click(page.locator(".ticked-bar").get_by_role("button", name=t("Add to new selection")))
    page.get_by_role("dialog").get_by_role("textbox").fill(t("Selections") + " 2026")
    take.click(page.get_by_role("dialog").get_by_role("button", name="OK"))
    expect(page.locator(".toast .notice.good")).to_be_visible()
    take.shot(END)


def fix_address(page: Page, take: Recording, t: Callable[..., str]) -> None:
    """A misspelt address is fixed beneath its reason."""
    take.shot()
    take.click(page.locator("tr.item", has_text="gmial.com").first.locator("td.first"))
    panel = page.get_by_role("complementary")
    take.click(panel.get_by_role("button", name=t("Use")))
    take.click(panel.get_by_role("button", name=t("Save and next")))
    expect(page.locator(".toast .notice.good")).to_be_visible()
    take.shot(END)


@pytest.mark.services
@pytest.mark.parametrize("language", list(LANGUAGES))
def test_record(system: System, visit: Visit, language: str) -> None:
    t = Texts(language).t
    page = visit("marketer", language, viewport={"width": 1120, "height": 700}, bypass_csp=True)
    page.goto(f"{system.url}/mailings/{quote(pictured.MAILINGS[-1])}")
    expect(page.locator("tr.item").first).to_be_visible()
    take = Recording(page)
    select_returned(page, take, t)
    take.save(f"select-{language}")
    page.goto(f"{system.url}/blocked?f.domain=gmial.com&f.contact=true")
    expect(page.locator("tr.item").first).to_be_visible()
    take = Recording(page)
    fix_address(page, take, t)
    take.save(f"fix-{language}")
