"""Tables: sorted, grouped, searched and filtered as their columns promise, in a real browser against real services."""

import pytest
from playwright.sync_api import Page, expect

from services.console.i18n import Texts
from tests.console.conftest import CLEANED, COMPLAINED, DEAD, LARGE, LARGE_RETURNS, MAILING, System, Visit

pytestmark = pytest.mark.services


def column(page: Page, title: str, item: str) -> None:
    """Choose from the menu of a column."""
    page.locator("th").filter(has_text=title).locator("summary").first.click()
    page.locator("th details[open]").get_by_role("button", name=item).click()


def test_recipients_are_sorted_grouped_and_selected_by_status(system: System, visit: Visit) -> None:
    page, t = visit(language="nb"), Texts("nb").t
    page.goto(f"{system.url}/mailings/{MAILING}?sort=status")
    expect(page.locator("tr.item").first).to_contain_text(COMPLAINED)
    sent = page.locator(".filters").get_by_role("button", name=t("Sent"))
    expect(sent).to_contain_text("6")  # all that were sent, whatever became of them
    page.get_by_role("button", name=f"{t('Bounced')} 3", exact=True).click()
    page.goto(f"{page.url}&f.reason=user_unknown&f.show=returned,opened")
    told = f"{t('Bounced')} {t('or')} {t('Opened')} {t('and')}"
    expect(page.locator(".combined")).to_contain_text(t("Shown: {what}", what=told))
    page.goto(f"{system.url}/mailings/{MAILING}")
    column(page, t("Status"), t("Group by this column"))
    groups = page.locator(".group-row")
    expect(groups.filter(has_text=t("Hard bounce"))).to_contain_text("3")
    page.get_by_role("button", name=f"{t('Select the group')}: {t('Hard bounce')}").click()
    expect(page.locator("tr.item")).to_have_count(3)
    expect(page.locator(".ticked-bar")).to_contain_text(t("All that match are selected ({n})", n=3))
    page.go_back()
    expect(groups.filter(has_text=t("Hard bounce"))).to_be_visible()


def test_search_finds_a_domain_and_a_part_of_an_address(system: System, visit: Visit) -> None:
    page, t = visit(language="en"), Texts("en").t
    search = page.get_by_role("searchbox", name=t("Name, company or address"))
    for path in ("/blocked", "/contacts"):
        page.goto(system.url + path)
        search.fill("@nowhere")
        expect(page.locator("tr.item")).to_have_count(1)
        expect(page.locator("tr.item")).to_contain_text(DEAD)
        search.fill("*na@now")
        expect(page.locator("tr.item")).to_have_count(1)
        search.fill("na@now")
        expect(page.locator("tr.item")).to_have_count(0)


def test_mailings_are_searched_filtered_and_grouped_by_month(system: System, visit: Visit) -> None:
    page, t = visit(language="nb"), Texts("nb").t
    page.goto(f"{system.url}/mailings")
    search = page.get_by_role("searchbox", name=t("Name, subject or number"))
    search.fill(CLEANED[1:].upper())
    expect(page.locator("tr.item")).to_have_count(1)
    expect(page.locator("tr.item")).to_contain_text(CLEANED)
    search.fill("")
    expect(page.locator("tr.item").nth(2)).to_be_visible()
    column(page, t("Time sent"), t("Group by month"))
    expect(page.locator(".group-row")).to_contain_text("November 2026")
    page.locator(".group-row button").first.click()
    expect(page.locator("tr.item").filter(has_text=LARGE)).to_contain_text(str(LARGE_RETURNS))
    page.goto(f"{system.url}/mailings?f.last=2026-01-01")
    expect(page.locator(".empty")).to_contain_text(t("No matches"))


def test_people_are_grouped_by_company_in_order(system: System, visit: Visit) -> None:
    page, t = visit(language="en"), Texts("en").t
    page.goto(f"{system.url}/contacts?group=company")
    groups = page.locator(".group-row")
    expect(groups).to_contain_text(["Known", "Nordlys", t("No company")])
    groups.filter(has_text="Nordlys").get_by_role("button").click()
    expect(page.locator("tr.item")).to_contain_text("Anna Berg")


def test_view_is_saved_shared_opened_and_deleted(system: System, visit: Visit) -> None:
    page, t = visit(language="nb"), Texts("nb").t
    page.goto(f"{system.url}/blocked?f.reason=domain_unknown&sort=address&open={DEAD}")
    page.locator(".views-menu summary").click()
    page.get_by_role("button", name=t("Save this view")).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(t("Name")).fill("Døde domener")
    dialog.get_by_label(t("Share with everybody at this customer")).check()
    dialog.get_by_role("button", name=t("Save")).click()
    expect(dialog).to_have_count(0)
    other = visit("viewer", "en")
    other.goto(f"{system.url}/blocked")
    other.locator(".views-menu summary").click()
    expect(other.locator(".views-menu").get_by_role("button")).to_have_count(0)
    other.get_by_role("link", name="Døde domener").click()
    expect(other.locator("tr.item")).to_have_count(1)
    assert other.url == f"{system.url}/blocked?sort=address&f.reason=domain_unknown"
    page.locator(".views-menu summary").click()
    page.get_by_role("button", name=t("Delete {name}", name="Døde domener")).click()
    expect(page.locator(".views-menu").get_by_role("link")).to_have_count(0)


def test_widths_and_density_are_kept_and_the_head_is_one_tab_stop(system: System, visit: Visit) -> None:
    page, t = visit(language="nb"), Texts("nb").t
    page.goto(f"{system.url}/blocked")
    expect(page.locator("tr.item").first).to_be_visible()
    head = page.locator("th[data-column='name']")
    before = head.evaluate("cell => cell.offsetWidth")
    column(page, t("Name"), t("Wider"))
    page.locator(".tools summary").filter(has_text=t("Columns")).click()
    page.get_by_label(t("Compact rows")).check()
    page.reload()
    expect(page.locator(".sheet.compact tr.item").first).to_be_visible()
    assert head.evaluate("cell => cell.offsetWidth") == before + 40
    stops = "all => all.filter(one => one.tabIndex === 0 && one.checkVisibility()).length"
    assert page.locator("thead :is(input, button, summary)").evaluate_all(stops) == 1
    page.locator("thead th.tick input").focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    expect(page.locator("th[data-column='address'] summary")).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    expect(page.locator("tr.item").first).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.locator("thead th.tick input")).to_be_focused()
