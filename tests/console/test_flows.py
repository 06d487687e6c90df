"""What people do with returned addresses, step by step, in a real browser against real services, in both languages."""

import re
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from playwright.sync_api import Page, expect

from services.console.i18n import Texts
from tests.console.conftest import CLEANED, DEAD, LARGE, LARGE_RETURNS, MAILING, System, Visit

pytestmark = pytest.mark.services
LANGUAGES = ("nb", "en")


def begin(page: Page, language: str, operation: str) -> None:
    """Choose an operation from the menu under the table."""
    t = Texts(language).t
    page.locator(".foot summary").click()
    page.locator(".foot .menu-box").get_by_role("button", name=t(operation), exact=True).click()


def tick(page: Page, *addresses: str) -> None:
    for address in addresses:
        page.locator(f"tr[data-id^='{address}'] input[type=checkbox]").check()


def confirm(page: Page) -> None:
    page.get_by_role("dialog").get_by_role("button", name="OK").click()


def done(page: Page) -> None:
    """Confirm what the dialog says, wait until it is done, and close the notice that says so."""
    confirm(page)
    expect(page.locator(".toast .notice.good")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.locator(".toast-head button").click()


@pytest.mark.parametrize("language", LANGUAGES)
def test_filter_select_and_copy_what_was_returned_to_a_new_selection(
    system: System, visit: Visit, language: str
) -> None:
    t, page = Texts(language).t, visit(language=language)
    page.get_by_role("navigation").get_by_role("link", name=t("Mailings")).first.click()
    page.get_by_role("link", name=MAILING).click()
    expect(page.locator("tr.item")).to_have_count(6)
    page.get_by_role("button", name=f"{t('Bounced')} 3", exact=True).click()
    expect(page.locator("tr.item")).to_have_count(3)
    page.get_by_role("button", name=f"{t('Opened')} 1", exact=True).click()
    expect(page.locator("tr.item")).to_have_count(4)
    assert "f.show=returned,opened" in page.url
    page.reload()  # a link shows the same
    expect(page.locator("tr.item")).to_have_count(4)
    page.get_by_role("button", name=f"{t('Opened')} 1", exact=True).click()
    expect(page.locator("tr.item")).to_have_count(3)
    # Four clicks from the whole list (the filter above is the first): all, what to do, and OK.
    page.get_by_role("checkbox", name=t("Select all on this page")).check()
    page.locator(".ticked-bar").get_by_role("button", name=t("Add to new selection")).click()
    confirm(page)  # without a name nothing happens
    expect(page.get_by_text(t("Give it a name."))).to_be_visible()
    page.get_by_label(t("Name of the new selection")).fill(f"Returned {language}")
    confirm(page)
    toast = page.locator(".toast")
    expect(toast.locator(".notice.good")).to_contain_text(
        Texts(language).tn("{n} added to “{name}”", "{n} added to “{name}”", 3, name=f"Returned {language}")
    )
    expect(page.locator(".ticked-bar")).to_have_count(0)
    operations = system.ask("actions", "GET", "/v1/operations")["items"]
    assert (operations[0]["operation"], operations[0]["done"]) == ("copy_to_selection", 3)
    assert operations[0]["parameters"]["name"] == f"Returned {language}"
    toast.get_by_role("button", name=t("Undo")).click()
    expect(toast.locator(".notice")).to_contain_text(t("Undone"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_export_in_each_format_and_open_the_file(visit: Visit, tmp_path: Path, language: str) -> None:
    page, t = visit(language=language), Texts(language).t
    page.goto(f"{page.url}mailings/{MAILING}?tab=bounces")
    tick(page, DEAD)
    for kind in ("csv", "xlsx", "txt", "html", "jsonl"):
        begin(page, language, "Export")
        page.get_by_label(t("Format")).select_option(kind)
        with page.expect_download() as download:  # by itself
            confirm(page)
        file = tmp_path / f"export.{kind}"
        download.value.save_as(file)
        assert download.value.suggested_filename.endswith(f".{kind}")
        assert DEAD in read(file)
        page.locator(".toast-head button").click()
        tick(page, DEAD)


def read(file: Path) -> str:
    if file.suffix != ".xlsx":
        return file.read_text("utf-8-sig")
    book = openpyxl.load_workbook(file)
    try:
        sheet: Any = book.active
        return " ".join(str(cell) for row in sheet.iter_rows(values_only=True) for cell in row)
    finally:
        book.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_cause_is_said_in_plain_words_when_the_pointer_rests_on_the_warning(visit: Visit, language: str) -> None:
    page, t = visit(language=language), Texts(language).t
    page.goto(f"{page.url}mailings/{MAILING}?tab=bounces")
    page.locator(f"tr[data-id='{DEAD}'] td.first").click()
    panel = page.get_by_role("complementary")
    expect(panel).to_contain_text(t("The domain {domain} does not exist.", domain="nowhere.example"))
    expect(panel.locator("pre")).to_contain_text("Domain not found")
    panel.get_by_role("link", name=t("Open"), exact=True).click()
    page.wait_for_url("**/contacts/c1")
    page.locator(".hint button").hover()
    expect(page.get_by_role("tooltip")).to_contain_text(
        t("The domain {domain} does not exist.", domain="nowhere.example")
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["selection", "project"])
def test_add_to_an_existing_list_that_is_found_by_typing(
    system: System, visit: Visit, language: str, kind: str
) -> None:
    page, t = visit(language=language), Texts(language).t
    name = f"Kunder i Nord {language}"
    made = system.ask("actions", "POST", f"/v1/{kind}s", {"name": name})
    page.goto(f"{page.url}mailings/{MAILING}?tab=bounces")
    tick(page, DEAD)
    begin(page, language, f"Add to existing {kind}")
    page.get_by_role("combobox", name=t(f"Search for the {kind}")).press_sequentially(f"kunder i nord {language}")
    page.get_by_role("option", name=name).click()
    done(page)
    members = system.ask("actions", "GET", f"/v1/{kind}s/{made['id']}/members")["items"]
    assert [member["contact"] for member in members] == ["c1"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_copy_to_a_new_project(system: System, visit: Visit, language: str) -> None:
    page, t = visit(language=language), Texts(language).t
    page.goto(f"{page.url}blocked")
    tick(page, DEAD, "gone@known.example")
    begin(page, language, "Add to new project")
    page.get_by_label(t("Name of the new project")).fill(f"Rydding {language}")
    confirm(page)
    expect(page.locator(".toast .notice.good")).to_contain_text("2")
    (made,) = system.ask("actions", "GET", f"/v1/projects?q=Rydding {language}")["items"]
    assert made["size"] == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_that_match_are_taken_without_ticking_each(visit: Visit, tmp_path: Path, language: str) -> None:
    page, t = visit(language=language), Texts(language).t
    page.goto(f"{page.url}mailings/{LARGE}?tab=bounces")
    page.get_by_role("checkbox", name=t("Select all on this page")).check()
    expect(page.locator(".ticked-bar")).to_contain_text("100")
    page.get_by_role("button", name=t("Select all that match ({n})", n=LARGE_RETURNS)).click()
    begin(page, language, "Export")
    page.get_by_label(t("Format")).select_option("txt")
    with page.expect_download() as download:
        confirm(page)
    download.value.save_as(tmp_path / "all.txt")
    assert (tmp_path / "all.txt").read_text("utf-8-sig").count("@busy.example") == LARGE_RETURNS


@pytest.mark.parametrize("language", LANGUAGES)
def test_delete_addresses(system: System, visit: Visit, language: str) -> None:
    page, t = visit(language=language), Texts(language).t
    page.goto(f"{page.url}mailings/{CLEANED}?tab=bounces")
    tick(page, f"delete-{language}@")
    begin(page, language, "Delete selected e-mail addresses")
    expect(page.get_by_role("dialog")).to_contain_text(t("This cannot be undone."))
    done(page)
    expect(page.locator(f"tr[data-id^='delete-{language}@']")).to_have_count(0)
    assert system.ask("actions", "GET", f"/v1/contacts/delete-{language}")["addresses"] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_set_as_former_employee(system: System, visit: Visit, language: str) -> None:
    page, t = visit(language=language), Texts(language).t
    page.goto(f"{page.url}mailings/{CLEANED}?tab=bounces")
    tick(page, f"leave-{language}@")
    begin(page, language, "Set as former employee")
    done(page)
    expect(page.locator(f"tr[data-id^='leave-{language}@']")).to_contain_text(t("Former employee"))
    assert system.ask("actions", "GET", f"/v1/contacts/leave-{language}")["former_employee"] is True
    page.goto(f"{system.url}/contacts?f.former_employee=true&q=leave-{language}")
    tick(page, f"leave-{language}")
    begin(page, language, 'Undo "former employee"')
    done(page)
    expect(page.locator("tr.item")).to_have_count(0)
    assert system.ask("actions", "GET", f"/v1/contacts/leave-{language}")["former_employee"] is False


def test_persons_are_sorted_by_a_click(visit: Visit) -> None:
    page = visit()
    page.goto(f"{page.url}contacts?sort=company")
    first = page.locator("tr.item").first
    expect(first).to_contain_text("Gunnar Gone")
    page.get_by_role("button", name="Name", exact=True).click()
    expect(first).to_contain_text("Anna Berg")
    page.get_by_role("button", name="Name", exact=True).click()
    expect(first).to_contain_text("Person ")
    expect(page.get_by_text(re.compile(r"of \d+$")).first).to_be_visible()


@pytest.mark.parametrize("language", LANGUAGES)
def test_clear_the_bounce_flag(system: System, visit: Visit, language: str) -> None:
    page, address = visit(language=language), f"clear-{language}@gone.example"
    page.goto(f"{page.url}blocked")
    page.get_by_role("searchbox").fill(f"clear-{language}")
    expect(page.locator("tr.item")).to_have_count(1)
    tick(page, address)
    begin(page, language, "Clear bounce-flag")
    done(page)
    system.installation.wait_for(lambda: not system.is_blocked(address))


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_address_is_fixed_from_the_list_to_the_person(system: System, visit: Visit, language: str) -> None:
    page, t = visit(language=language), Texts(language).t
    old, new = f"correct-{language}@gone.example", f"right-{language}@known.example"
    page.goto(f"{page.url}mailings/{CLEANED}?tab=bounces")
    page.locator(f"tr[data-id^='correct-{language}@'] td.first").click()
    page.get_by_role("complementary").get_by_role("link", name=t("Open"), exact=True).click()
    page.wait_for_url(f"**/contacts/correct-{language}")
    page.locator(".hint button").hover()
    cause = t("The domain {domain} exists, but has no mailbox with this name.", domain="gone.example")
    expect(page.get_by_role("tooltip")).to_contain_text(cause)
    page.get_by_role("button", name=t("Edit")).click()
    field = page.get_by_label(t("E-mail address"))
    field.fill("no address")
    expect(page.get_by_text(t("This is not an e-mail address."))).to_be_visible()
    field.fill(DEAD)  # another's, and blocked: it is said before it is saved
    page.get_by_role("button", name=t("Save"), exact=True).click()
    expect(page.locator(".editor .notice.warn").nth(1)).to_contain_text("Anna Berg")
    expect(page.get_by_role("button", name=t("Save all the same"))).to_be_visible()
    field.fill(new)
    expect(page.locator(".editor .notice.warn")).to_have_count(0)
    page.get_by_role("button", name=t("Save"), exact=True).click()
    expect(page.locator(".toast .notice.good")).to_contain_text(t("Corrected to {new}", new=new))
    expect(page.locator(".hint")).to_have_count(0)
    (held,) = system.ask("actions", "GET", f"/v1/contacts/correct-{language}")["addresses"]
    assert (held["address"], held["blocked"]) == (new, False)
    page.reload()
    expect(page.locator(".timeline")).to_contain_text(t("from {old} to {new}", old=old, new=new))
    page.goto(f"{system.url}/addresses/{old}")
    expect(page.locator(".why")).to_contain_text(t("Corrected to {new}", new=new))
    expect(page.locator(".timeline")).to_contain_text(t("from {old} to {new}", old=old, new=new))
    page.goto(f"{system.url}/blocked?q=correct-{language}")
    expect(page.locator("tr.item")).to_contain_text(t("Corrected to {new}", new=new))


@pytest.mark.parametrize("language", LANGUAGES)
def test_blocked_addresses_are_searched_sorted_grouped_and_narrowed_and_the_address_of_the_page_says_so(
    visit: Visit, language: str
) -> None:
    page, t = visit(language=language), Texts(language).t
    page.goto(f"{page.url}blocked")
    rows = page.locator("tr.item")
    expect(page.locator(f"tr[data-id='{DEAD}']")).to_contain_text("Nordlys")
    total = rows.count()
    page.get_by_role("searchbox").fill("anna")
    expect(rows).to_have_count(1)
    page.get_by_role("searchbox").fill("")
    expect(rows).to_have_count(total)
    page.get_by_role("button", name=t("Name"), exact=True).click()
    expect(rows.first).to_contain_text("Anna Berg")
    page.get_by_role("button", name=t("Name"), exact=True).click()
    expect(rows.first).to_contain_text("Person")
    page.get_by_label(t("{column}: sort, group, hide", column=t("E-mail address"))).click()
    page.get_by_role("button", name=t("Group by receiving domain")).click()
    page.get_by_role("button", name="known.example 2").click()
    expect(rows).to_have_count(2)
    page.get_by_role("button", name=t("Remove grouping")).click()
    page.locator(".filter-menu summary").click()
    menu = page.locator(".filter-menu")
    menu.get_by_label(t("Reason")).select_option("domain_unknown")
    menu.get_by_label(t("Person")).select_option("true")
    menu.get_by_role("button", name=t("Show")).click()
    expect(rows).to_have_count(1)
    assert "f.reason=domain_unknown" in page.url
    page.reload()  # a link shows the same
    expect(rows).to_have_count(1)
    for left in (1, 0):
        page.locator(".chip").first.click()
        expect(page.locator(".chip")).to_have_count(left)
    expect(rows).to_have_count(total)
    expect(page).not_to_have_url(re.compile(r"f\."))


def test_two_users_do_not_see_each_others_ticks(visit: Visit) -> None:
    one, other = visit("marketer"), visit("administrator")
    for page in (one, other):
        page.goto(f"{page.url}mailings/{MAILING}?tab=bounces")
    tick(one, DEAD)
    expect(one.locator(".ticked-bar")).to_contain_text("1")
    expect(other.locator("tr.item")).to_have_count(3)
    expect(other.locator(".ticked-bar")).to_have_count(0)


def test_the_table_is_worked_with_the_keyboard_alone(visit: Visit) -> None:
    page = visit()
    page.goto(f"{page.url}mailings/{MAILING}?tab=bounces")
    page.locator("tr.item").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press(" ")
    expect(page.locator(".ticked-bar")).to_contain_text("1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("complementary")).to_be_hidden()


def test_a_viewer_looks_and_changes_nothing(visit: Visit) -> None:
    page = visit("viewer")
    page.goto(f"{page.url}blocked")
    expect(page.locator("tr.item").first).to_be_visible()
    expect(page.locator("tr.item input[type=checkbox]")).to_have_count(0)
    page.locator(".foot summary").click()
    expect(page.locator(".foot .menu-box")).to_contain_text("You may look, but not change")


def test_every_page_can_be_drawn_by_an_administrator(system: System, visit: Visit) -> None:
    page = visit("administrator", viewport={"width": 360, "height": 740})
    for path in ("/", "/mailings", "/blocked", "/contacts", "/operations", "/settings", "/users", "/contacts/c1"):
        page.goto(system.url + path)
        expect(page.locator("h1")).to_be_visible()
        expect(page.locator(".notice.bad")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_dialog_is_closed_by_escape_in_a_select(visit: Visit) -> None:
    page = visit("marketer")
    page.goto(f"{page.url}blocked")
    for _ in range(2):
        page.locator("tr.item input[type=checkbox]").first.check()
        page.locator(".foot summary").click()
        page.locator(".foot .menu-box").get_by_role("button", name="Export", exact=True).click()
        select = page.get_by_role("dialog").get_by_label("Format")
        select.focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.locator("tr.item input[type=checkbox]").first.uncheck()
