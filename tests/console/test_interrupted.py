"""What a visitor finds again: after a reload while something runs, and when the session has ended in between."""

import re

import pytest
from playwright.sync_api import expect

from services.console.i18n import Texts
from tests.console.conftest import LARGE, LARGE_RETURNS, PASSWORD, System, Visit
from tests.console.test_flows import begin, confirm

pytestmark = pytest.mark.services


def test_an_operation_is_followed_again_after_a_reload(visit: Visit, system: System) -> None:
    page = visit()
    page.goto(f"{system.url}/mailings/{LARGE}?tab=bounces&f.reason=mailbox_full")
    page.get_by_role("checkbox", name=Texts("en").t("Select all on this page")).check()
    begin(page, "en", "Export")
    confirm(page)
    page.wait_for_url(re.compile(r"[?&]operation=[0-9a-f-]{36}"))
    assert "f.reason=mailbox_full" in page.url
    page.reload()
    toast = page.locator(".toast")
    expect(toast.get_by_role("link", name=Texts("en").t("Download the file"))).to_be_visible()
    toast.get_by_role("button", name=Texts("en").t("Close")).click()
    page.wait_for_url(re.compile(r"^[^&]*\?tab=bounces&f\.reason=mailbox_full$"))
    page.goto(f"{system.url}/mailings/{LARGE}?tab=bounces&operation=00000000-0000-0000-0000-000000000000")
    expect(page.locator("tr.item").first).to_be_visible()
    expect(page.locator(".toast")).to_have_count(0)


def test_whose_session_ended_meanwhile_comes_back_to_the_same_view(visit: Visit, system: System) -> None:
    t = Texts("nb").t
    system.ask("actions", "POST", "/v1/users", {"name": "leaver", "role": "viewer", "password": PASSWORD})
    page = visit("leaver", "nb")
    place = f"{system.url}/mailings/{LARGE}?tab=bounces"
    page.goto(place)
    expect(page.locator("tr.item")).to_have_count(min(100, LARGE_RETURNS))
    (held,) = [one["id"] for one in system.ask("actions", "GET", "/v1/tokens")["items"] if one["name"] == "leaver"]
    system.ask("actions", "DELETE", f"/v1/tokens/{held}")
    page.get_by_role("searchbox").fill("full1")
    told = page.locator(".notice.warn")
    expect(told).to_contain_text(t("You have been signed out."))
    told.get_by_role("link", name=t("Sign in")).click()
    page.fill("input[name=name]", "leaver")
    page.fill("input[name=password]", PASSWORD)
    page.click("button.primary")
    page.wait_for_url(place)
    expect(page.locator("tr.item").first).to_be_visible()
