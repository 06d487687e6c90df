"""Repair where the reason stands, and what is left out of a repair: in a real browser against real services."""

import pytest
from playwright.sync_api import Page, expect

from services.console.i18n import Texts
from tests.console.conftest import COMPLAINED, DEAD, SLIPS, System, Visit
from tests.console.test_flows import begin, tick

pytestmark = pytest.mark.services


def undo(page: Page, language: str) -> None:
    """Undo what the notice tells of."""
    t = Texts(language).t
    page.locator(".toast").get_by_role("button", name=t("Undo")).last.click()
    expect(page.locator(".toast .notice").last).to_contain_text(t("Undone"))


def test_misspelt_address_is_fixed_in_the_panel_and_the_others_together(system: System, visit: Visit) -> None:
    page, t = visit(language="nb"), Texts("nb").t
    page.goto(f"{system.url}/blocked?q=slip&sort=address")
    page.locator(f"tr[data-id='{SLIPS[0]}'] td.first").click()
    panel, right = page.get_by_role("complementary"), SLIPS[0].replace("gmial", "gmail")
    expect(panel).to_contain_text(t("Did you mean {address}?", address=right))
    expect(panel).to_be_focused()
    panel.get_by_role("button", name=t("Use")).click()
    expect(panel.get_by_label(t("E-mail address"))).to_have_value(right)
    panel.get_by_role("button", name=t("Save and next")).click()
    expect(page.locator(".toast .notice.good")).to_contain_text(t("Corrected to {new}", new=right))
    expect(panel.get_by_label(t("E-mail address"))).to_have_value(SLIPS[1])
    page.get_by_role("link", name=t("Likely typing errors")).click()
    for address in SLIPS[1:]:
        page.get_by_role("checkbox", name=address).check()
    page.get_by_role("button", name=Texts("nb").tn("Correct {n} address", "Correct {n} addresses", 2)).click()
    expect(page.locator(".toast .notice.good")).to_contain_text("2")
    expect(page.get_by_role("checkbox", name=SLIPS[1])).to_have_count(0)
    undo(page, "nb")
    expect(page.get_by_role("checkbox", name=SLIPS[1])).to_be_visible()
    page.goto(f"{system.url}/operations")
    expect(page.locator("tbody tr").first).to_contain_text("gmial.com → gmail.com")
    expect(page.locator("tbody tr").nth(1)).to_contain_text(f"{SLIPS[0]} → {right}")


def test_whoever_complained_is_cleared_only_with_a_reason(visit: Visit) -> None:
    page, t = visit(language="nb"), Texts("nb").t
    page.goto(f"{page.url}blocked")
    tick(page, DEAD, COMPLAINED)
    begin(page, "nb", "Clear bounce-flag")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(t("Skipped: they {why}", why=t("complained of spam")))
    expect(dialog).not_to_contain_text(f"{DEAD}, {COMPLAINED}")
    dialog.get_by_label(t("Include those who complained of spam")).check()
    dialog.get_by_role("button", name=t("Continue")).click()
    expect(dialog).to_contain_text(t("Write why."))
    dialog.get_by_label(t("Why are they mailed again?")).fill("Ringte og ba om det")
    dialog.get_by_role("button", name=t("Continue")).click()
    expect(dialog.locator(".tally")).to_contain_text(Texts("nb").tn("{n} address", "{n} addresses", 2))
    expect(dialog).not_to_contain_text(t("Skipped: they {why}", why=t("complained of spam")))
    dialog.get_by_role("button", name=t("Cancel")).click()


def test_deleted_address_does_not_come_back_by_another_tab(system: System, visit: Visit) -> None:
    page, t = visit(), Texts("en").t
    gone, kept = "erase-nb@gone.example", "erase-en@gone.example"
    page.goto(f"{system.url}/blocked?q=erase")
    tick(page, gone, kept)
    body = {"operation": "delete_addresses", "target": {"addresses": [gone]}}
    seen = system.ask("actions", "POST", "/v1/operations", body)
    system.ask("actions", "POST", f"/v1/operations/{seen['id']}/confirm", {"token": seen["token"]})
    path = f"/v1/operations/{seen['id']}"
    system.installation.wait_for(lambda: system.ask("actions", "GET", path)["state"] == "finished")
    begin(page, "en", "Clear bounce-flag")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".tally")).to_contain_text("1 address")
    expect(dialog).to_contain_text(t("Skipped: they {why}", why=t("have been deleted")))
    dialog.get_by_role("button", name="OK").click()
    expect(page.locator(".toast .notice.good")).to_contain_text("1 bounce-flag cleared")
    assert system.ask("blocklist", "GET", f"/v1/addresses/{gone}")["history"] == []


def test_back_undoes_the_last_step_and_columns_are_remembered(system: System, visit: Visit) -> None:
    page = visit()
    page.goto(f"{system.url}/blocked")
    expect(page.locator("tr.item").first).to_be_visible()
    page.get_by_role("button", name="Name", exact=True).click()
    expect(page).to_have_url(f"{system.url}/blocked?sort=name")
    page.locator("tr.item td.first").first.click()
    expect(page.get_by_role("complementary")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("complementary")).to_be_hidden()
    expect(page).to_have_url(f"{system.url}/blocked?sort=name")
    page.go_back()
    expect(page).to_have_url(f"{system.url}/blocked")
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("checkbox", name="Company").uncheck()
    expect(page.get_by_role("button", name="Company", exact=True)).to_have_count(0)
    page.goto(f"{system.url}/blocked")
    expect(page.get_by_role("button", name="Name", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Company", exact=True)).to_have_count(0)


def test_selection_is_renamed_emptied_merged(system: System, visit: Visit) -> None:
    page = visit()
    first = system.ask("actions", "POST", "/v1/selections", {"name": "Oslo a", "members": ["c1", "c2"]})
    other = system.ask("actions", "POST", "/v1/selections", {"name": "Bergen b", "members": ["c3"]})
    page.goto(f"{system.url}/selections")
    page.get_by_role("link", name="Oslo a").click()
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Oslo z")
    page.get_by_role("dialog").get_by_role("button", name="OK").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Oslo z")
    tick(page, "c2")
    page.get_by_role("button", name="Remove from the list").click()
    expect(page.locator("tr.item")).to_have_count(1)
    page.get_by_role("button", name="Merge into another").click()
    page.get_by_role("combobox", name="Name").press_sequentially("bergen")
    page.get_by_role("option", name="Bergen b").click()
    page.get_by_role("dialog").get_by_role("button", name="OK").click()
    page.wait_for_url(f"{system.url}/selections/{other['id']}")
    expect(page.locator("tr.item")).to_have_count(2)
    assert system.ask("actions", "GET", "/v1/selections?q=oslo z")["items"] == []
    assert first["id"] != other["id"]
