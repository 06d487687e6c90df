"""Blocking, importing and the care of users by hand, in a real browser against real services."""

from pathlib import Path

import httpx
import pyotp
import pytest
from playwright.sync_api import expect

from services.console.components.dialogs.block_dialog import addresses_in
from services.console.i18n import Texts
from services.console.pages.domains import domains_in
from tests.console.conftest import PASSWORD, System, Visit

pytestmark = pytest.mark.services
PASSED_ON, OTHER = "by-hand@fine.example", "other-by-hand@fine.example"


@pytest.mark.parametrize(
    ("text", "found", "wrong"),
    [
        ("a@x.example\nb@x.example", ["a@x.example", "b@x.example"], []),
        ("a@x.example, b@x.example; A@X.example", ["a@x.example", "b@x.example"], []),
        ("a@x.example b@x.example\t", ["a@x.example", "b@x.example"], []),
        ('Ann Berg <ann@x.example>, "B" <b@x.example>', ["ann@x.example", "b@x.example"], []),
        ("ann, ann@x.example", ["ann@x.example"], ["ann"]),
        (" \n,;", [], []),
    ],
)
def test_addresses_in_finds_each_once_however_separated(text: str, found: list[str], wrong: list[str]) -> None:
    assert addresses_in(text) == (found, wrong)


def test_addresses_are_blocked_by_hand_and_that_is_undone(system: System, visit: Visit) -> None:
    page, t = visit(language="nb"), Texts("nb").t
    page.goto(f"{system.url}/blocked")
    page.get_by_role("button", name=t("Block addresses")).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(t("Addresses")).fill(f"Per <{PASSED_ON}>\nper")
    dialog.get_by_role("button", name=t("Block"), exact=True).click()
    expect(dialog).to_contain_text(t("Not an e-mail address: {what}", what="per"))
    dialog.get_by_label(t("Addresses")).fill(f"Per <{PASSED_ON}>")
    dialog.get_by_label(t("Why (kept in their history)")).fill("Ba om det på telefon")
    dialog.get_by_label(t("End date")).fill("2099-12-31")
    dialog.get_by_role("button", name=t("Block"), exact=True).click()
    expect(page.locator(f"tr[data-id='{PASSED_ON}']")).to_contain_text(t("Blocked manually"))
    assert system.is_blocked(PASSED_ON)
    assert "Ba om det på telefon" in str(system.ask("actions", "GET", f"/v1/addresses/{PASSED_ON}"))
    assert system.ask("blocklist", "GET", f"/v1/addresses/{PASSED_ON}")["until"] == "2099-12-31T23:00:00Z"
    page.locator(".toast").get_by_role("button", name=t("Undo")).click()
    expect(page.locator(f"tr[data-id='{PASSED_ON}']")).to_have_count(0)
    assert not system.is_blocked(PASSED_ON)


def test_list_is_imported_after_a_preview_and_that_is_undone(system: System, visit: Visit, tmp_path: Path) -> None:
    page, t = visit(language="en"), Texts("en").t
    page.goto(f"{system.url}/blocked")
    page.get_by_role("button", name=t("Import a list")).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name=t("Preview")).click()
    expect(dialog).to_contain_text(t("Choose a file."))
    (tmp_path / "list.csv").write_text(f"email\n{OTHER}\nnobody\n")
    dialog.get_by_label(t("File")).set_input_files(tmp_path / "list.csv")
    dialog.get_by_role("button", name=t("Preview")).click()
    expect(dialog.locator(".tally li")).to_have_text([f"{t('Blocked')}1", f"{t('Not an e-mail address')}1"])
    assert not system.is_blocked(OTHER)
    dialog.get_by_role("button", name=t("Import"), exact=True).click()
    expect(dialog).to_contain_text(t("Imported."))
    assert system.is_blocked(OTHER)
    dialog.get_by_role("button", name=t("Undo")).click()
    expect(dialog).to_contain_text(t("Undone"))
    assert not system.is_blocked(OTHER)


def test_people_are_imported_from_a_file(system: System, visit: Visit, tmp_path: Path) -> None:
    page, t = visit(language="nb"), Texts("nb").t
    (tmp_path / "people.csv").write_text("id;navn;e-post\nbyhand;Berit Hand;berit@fine.example\n;Uten;x\n")
    page.goto(f"{system.url}/contacts")
    page.get_by_role("button", name=t("Import people")).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(t("File")).set_input_files(tmp_path / "people.csv")
    dialog.get_by_role("button", name=t("Import"), exact=True).click()
    expect(dialog).to_contain_text(Texts("nb").tn("{n} person imported", "{n} people imported", 1))
    expect(dialog.locator(".notice.warn")).to_contain_text(t("Line {n}", n=3))
    dialog.get_by_role("button", name=t("Close")).click()
    expect(page.get_by_role("link", name="Berit Hand")).to_be_visible()


def test_file_of_another_page_or_without_a_session_is_not_taken(system: System) -> None:
    forged = httpx.post(
        f"{system.url}/uploads/blocks", content="a@x.example", headers={"Origin": "https://evil.example"}
    )
    assert forged.status_code == 403
    answer = httpx.post(f"{system.url}/uploads/blocks", content="a@x.example")
    assert answer.status_code in (303, 401)


def test_role_of_a_user_is_changed_and_the_password_reset(system: System, visit: Visit) -> None:
    system.ask("actions", "POST", "/v1/users", {"name": "lasse", "role": "viewer", "password": "old password of lasse"})
    page, t = visit("administrator", "en"), Texts("en").t
    page.goto(f"{system.url}/users")
    page.get_by_role("button", name=t("Edit {name}", name="lasse")).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(t("Role")).select_option("marketer")
    dialog.get_by_label(t("New password")).fill("short")
    dialog.get_by_role("button", name=t("Save")).click()
    expect(dialog.locator(".wrong")).to_contain_text(t("12 characters or more."))
    dialog.get_by_label(t("New password")).fill("new password of lasse")
    dialog.get_by_role("button", name=t("Save")).click()
    expect(dialog).to_have_count(0)
    (found,) = [one for one in system.ask("actions", "GET", "/v1/users")["items"] if one["name"] == "lasse"]
    assert found["role"] == "marketer"
    signed = {word: sign_in(system, word) for word in ("old password of lasse", "new password of lasse")}
    assert signed == {"old password of lasse": 401, "new password of lasse": 303}


def sign_in(system: System, password: str) -> int:
    return httpx.post(f"{system.url}/sign-in", data={"name": "lasse", "password": password}).status_code


@pytest.mark.parametrize(
    ("text", "found", "wrong"),
    [
        ("Example.com\n*.example.com", ["example.com", "*.example.com"], []),
        ("@blåbær.example, ann@x.example; x.example", ["xn--blbr-roah.example", "x.example"], []),
        ("exa mple..com *.*.com", ["exa"], ["mple..com", "*.*.com"]),
        (" \n,;", [], []),
    ],
)
def test_domains_in_finds_each_once_however_separated(text: str, found: list[str], wrong: list[str]) -> None:
    assert domains_in(text) == (found, wrong)


def test_domain_is_blocked_looked_up_and_lifted(system: System, visit: Visit) -> None:
    page, t = visit(language="nb"), Texts("nb").t
    page.goto(f"{system.url}/blocked?tab=domains")
    page.get_by_role("button", name=t("Block domains")).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(t("Domains")).fill("*.closed.example")
    dialog.get_by_label(t("End date")).fill("2020-01-01")
    dialog.get_by_role("button", name=t("Block"), exact=True).click()
    expect(dialog.locator(".wrong")).to_have_text([t("Say why."), t("This day is over.")])
    dialog.get_by_label(t("Why (kept in the history)")).fill("Firmaet er lagt ned")
    dialog.get_by_label(t("End date")).fill("2099-12-31")
    dialog.get_by_role("button", name=t("Block"), exact=True).click()
    row = page.get_by_role("row", name="*.closed.example")
    expect(row).to_contain_text("1. jan. 2100 00:00")  # the day's end, in Oslo
    expect(row).to_contain_text("Firmaet er lagt ned")
    page.get_by_label(t("Domain or address")).fill("ann@mail.closed.example")
    page.get_by_role("button", name=t("Look up")).click()
    said = t("{domain} is blocked by {pattern}.", domain="mail.closed.example", pattern="*.closed.example")
    expect(page.locator(".notice")).to_contain_text(said)
    row.get_by_role("button", name=t("Lift")).click()
    dialog.get_by_label(t("Why (kept in the history)")).fill("De er tilbake")
    dialog.get_by_role("button", name=t("Lift"), exact=True).click()
    expect(page.locator(".notice")).to_contain_text(t("The block of {domain} is lifted", domain="*.closed.example"))
    expect(row).to_have_count(0)
    answer = system.ask("blocklist", "POST", "/v1/check", {"addresses": ["ann@mail.closed.example"]})
    assert answer["skip"] == []


def test_viewer_sees_blocked_domains_and_changes_none(system: System, visit: Visit) -> None:
    page, t = visit("viewer", "en"), Texts("en").t
    page.goto(f"{system.url}/blocked?tab=domains")
    expect(page.get_by_role("button", name=t("Look up"))).to_be_visible()
    expect(page.get_by_role("button", name=t("Block domains"))).to_have_count(0)


def test_second_factor_is_set_up_asked_for_and_reset(system: System, visit: Visit) -> None:
    system.ask("actions", "POST", "/v1/users", {"name": "totto", "role": "viewer", "password": PASSWORD})
    page, t = visit("totto", "nb"), Texts("nb").t
    page.goto(f"{system.url}/account")
    page.get_by_role("button", name=t("Set up")).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(t("Password")).fill("not it")
    dialog.get_by_role("button", name=t("Next")).click()
    expect(dialog.locator(".wrong")).to_contain_text(t("The password is wrong."))
    dialog.get_by_label(t("Password")).fill(PASSWORD)
    dialog.get_by_role("button", name=t("Next")).click()
    expect(dialog.get_by_role("img", name=t("QR code of the secret"))).to_be_visible()
    secret = dialog.locator("pre").inner_text().strip()
    dialog.get_by_label(t("The code that the app shows")).fill(pyotp.TOTP(secret).now())
    dialog.get_by_role("button", name=t("Confirm")).click()
    expect(dialog).to_contain_text(t("Each signs you in once in the place of the app's code."))
    codes = dialog.locator("pre").inner_text().split()
    left = Texts("nb").tn("{n} recovery code left", "{n} recovery codes left", len(codes))
    dialog.get_by_role("button", name=t("Close")).last.click()
    expect(page.locator(".notice")).to_contain_text(left)

    page.context.clear_cookies()
    page.goto(f"{system.url}/sign-in?next=%2Fmailings")
    page.fill("input[name=name]", "totto")
    page.fill("input[name=password]", PASSWORD)
    page.click("button.primary")
    page.fill("input[name=code]", codes[0].upper())
    page.click("button.primary")
    page.wait_for_url(f"{system.url}/mailings")

    form = {"name": "totto", "password": PASSWORD}
    wanted = httpx.post(f"{system.url}/sign-in", data=form, headers={"Accept-Language": "en"})
    assert (wanted.status_code, PASSWORD in wanted.text) == (200, False)
    late = httpx.post(f"{system.url}/sign-in/code", data={"challenge": "x", "code": codes[1]})
    assert late.status_code == 401
    system.ask("actions", "DELETE", "/v1/users/totto/second-factor")
    assert httpx.post(f"{system.url}/sign-in", data=form).status_code == 303
