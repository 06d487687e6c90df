"""No English is left in Norwegian pages: what is drawn is held against the texts of the catalog."""

from typing import Any

import pytest
from babel.messages.pofile import read_po
from playwright.sync_api import Page, expect

import services.console.i18n as i18n
from tests.console.conftest import DEAD, MAILING, System, Visit

DRAWN = """() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const inside = walk.currentNode.parentElement.closest("script, style, [lang]");
    if (!inside || inside === document.documentElement) found.push(walk.currentNode.textContent.trim());
  }
  for (const element of document.querySelectorAll("[aria-label], [title], [placeholder]"))
    for (const name of ["aria-label", "title", "placeholder"]) found.push((element.getAttribute(name) || "").trim());
  return [...new Set(found.filter(Boolean))];
}"""
"""Every text of a page, with those that are only read out or shown under the pointer."""
PAGES = (
    "/", "/mailings", f"/mailings/{MAILING}", "/blocked", "/blocked?tab=returned", "/blocked?tab=complaints",
    "/blocked?group=reason", f"/blocked?open={DEAD}", "/contacts", "/contacts/c1", f"/addresses/{DEAD}", "/operations",
    "/blocked?tab=typing-errors", "/blocked?tab=domains", "/selections", "/projects", "/settings", "/users", "/account",
)  # fmt: skip


def english() -> set[str]:
    """Return the texts whose Norwegian is another."""
    path = i18n.__path__[0] + "/nb.po"
    with open(path, "rb") as file:  # noqa: PTH123 - beside the module
        texts = [(one.id, one.string) for one in read_po(file) if one.id]
    return {one for one, told in texts if isinstance(one, str) and one != told and "{" not in one}


def left_in(page: Page) -> set[str]:
    drawn: list[Any] = page.evaluate(DRAWN)
    return english() & set(drawn)


@pytest.mark.parametrize("path", PAGES)
def test_norwegian_page_has_no_english(system: System, visit: Visit, path: str) -> None:
    page = visit("administrator", "nb")
    page.goto(system.url + path)
    expect(page.locator("h1")).to_be_visible()
    if path.startswith("/blocked"):
        expect(page.locator("tr").first).to_be_visible()
    page.wait_for_function("!document.querySelector('[aria-busy=true]')")
    assert left_in(page) == set()


def test_norwegian_system_page_has_no_english(system: System, visit: Visit) -> None:
    page = visit("operator", "nb")
    page.goto(f"{system.url}/system")
    expect(page.locator("h1")).to_be_visible()
    page.wait_for_function("!document.querySelector('[aria-busy=true]')")
    assert left_in(page) == set()


def test_norwegian_document_has_no_english_of_nicegui(visit: Visit) -> None:
    page = visit("administrator", "nb")
    assert "Trying to reconnect" not in page.content()
    assert "Connection lost" not in page.content()


def test_english_page_is_english(visit: Visit) -> None:
    page = visit("administrator", "en")
    expect(page.locator("h1")).to_be_visible()
    assert len(left_in(page)) > 10
