"""Settings are changed when it is known what that does, in a real browser against real services, in both languages."""

import pytest
from playwright.sync_api import Dialog, Locator, Page, expect

from services.console.i18n import Texts
from tests.console.conftest import COUNTED, System, Visit
from tests.console.test_flows import LANGUAGES

pytestmark = pytest.mark.services


def section(page: Page, field: Locator) -> Locator:
    """Return the section of the settings that a field stands in."""
    return page.locator("section.card").filter(has=field)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_threshold_is_changed_when_it_is_known_what_that_does(system: System, visit: Visit, language: str) -> None:
    page, t = visit("administrator", language), Texts(language).t
    page.goto(f"{page.url}settings")
    number = page.get_by_label(t("Accepted bounces"), exact=True)
    number.fill("0.5")
    expect(page.get_by_text(t("A whole number from {least} to {most}.", least=0, most=1000))).to_be_visible()
    number.fill("0")
    expect(page.get_by_text(t("A whole number from {least} to {most}.", least=0, most=1000))).to_be_hidden()
    section(page, number).get_by_role("button", name=t("Preview and save")).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".figure").first).to_contain_text("1")
    expect(dialog).to_contain_text(COUNTED)
    dialog.get_by_role("button", name=t("Save")).click()
    expect(page.locator(".notice.good")).to_contain_text(t("Saved."))
    system.installation.wait_for(lambda: system.is_blocked(COUNTED))
    page.get_by_role("button", name=t("Undo the last change")).click()
    expect(number).to_have_value("5")
    system.installation.wait_for(lambda: not system.is_blocked(COUNTED))


@pytest.mark.parametrize("language", LANGUAGES)
def test_erased_addresses_are_skipped_and_erasures_wait_where_it_is_set(
    system: System, visit: Visit, language: str
) -> None:
    page, t = visit("administrator", language), Texts(language).t
    page.goto(f"{page.url}settings")
    days = page.get_by_label(t("Days that an erasure waits"))
    page.get_by_label(t("Skip erased addresses until their bounce-flag is cleared")).check()
    days.fill("31")
    wrong = page.get_by_text(t("A whole number from {least} to {most}.", least=0, most=30))
    expect(wrong).to_be_visible()
    save = section(page, days).get_by_role("button", name=t("Preview and save"))
    save.click()
    expect(page.get_by_text(t("Correct the marked fields first."))).to_be_visible()
    days.fill("7")
    expect(wrong).to_be_hidden()  # the button moves up by this line, and may do so while it is pressed
    save.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(t("No address changes by it today."))
    dialog.get_by_role("button", name=t("Save")).click()
    expect(page.locator(".notice.good")).to_contain_text(t("Saved."))
    known = system.ask("blocklist", "GET", "/v1/settings")
    assert (known["skip_erased"], known["erase_after_days"]) == (True, 7)
    page.get_by_role("button", name=t("Undo the last change")).click()
    expect(days).to_have_value("0")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_retry_schedule_is_changed_for_one_reason_alone(system: System, visit: Visit, language: str) -> None:
    page, t = visit(language=language), Texts(language).t
    page.goto(f"{page.url}settings")
    before = system.ask("classifier", "GET", "/v1/retry-settings")["delays"]
    reason = "greylisted" if language == "nb" else "mailbox_full"
    page.get_by_label(t("For"), exact=True).select_option(reason)
    page.get_by_role("button", name=t("Give it times of its own")).click()
    page.get_by_label(t("Length of time before attempt {n}", n=1)).fill("45")
    page.get_by_label(t("Unit of time before attempt {n}", n=1)).select_option("m")
    page.get_by_role("button", name=t("Remove attempt {n}", n=len(before))).click()
    page.get_by_role("button", name=t("Save the times")).click()
    expect(page.get_by_text(t("It applies to all bounces from now on."))).to_be_visible()
    known = system.ask("classifier", "GET", "/v1/retry-settings")
    assert known["by_reason"][reason] == ["45m", *before[1:-1]]
    assert known["delays"] == before


def test_section_is_saved_by_itself_and_the_rest_is_asked_about(system: System, visit: Visit) -> None:
    page, t = visit("administrator", "nb"), Texts("nb").t
    page.goto(f"{system.url}/settings")
    sure, lasting = (
        page.get_by_label(t("A dead address is blocked at once from (per cent sure)")),
        page.get_by_label(t("Days of the first, second, … block")),
    )
    held = sure.input_value()
    sure.fill("71")
    lasting.fill("7, 30")
    expect(page.get_by_text(t("Not saved"), exact=True).locator("visible=true")).to_have_count(2)
    section(page, lasting).get_by_role("button", name=t("Preview and save")).click()
    page.get_by_role("dialog").get_by_role("button", name=t("Save")).click()
    expect(section(page, lasting).locator(".notice.good")).to_contain_text(t("Saved."))
    known = system.ask("blocklist", "GET", "/v1/settings")
    assert (known["expiry_days"], round(known["dead_confidence"] * 100)) == ([7, 30], int(held))
    expect(sure).to_have_value("71")
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.locator(".ways-list.wide a[href='/mailings']").click()
    expect(sure).to_have_value("71")
    assert (asked, page.url) == (["beforeunload"], f"{system.url}/settings")
    sure.fill(held)
    expect(page.get_by_text(t("Not saved"), exact=True).locator("visible=true")).to_have_count(0)
    page.get_by_role("button", name=t("Undo the last change")).click()
    expect(lasting).to_have_value("")
    page.locator(".ways-list.wide a[href='/mailings']").click()
    page.wait_for_url(f"{system.url}/mailings")


@pytest.mark.parametrize("language", LANGUAGES[:1])
def test_a_channel_of_alerts_is_added_tried_and_removed(system: System, visit: Visit, language: str) -> None:
    """What went wrong is said: this installation has no mail server."""
    page, t = visit("administrator", language), Texts(language).t
    page.goto(f"{page.url}settings")
    page.get_by_role("button", name=t("New channel")).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(t("Name"), exact=True).fill("kveld")
    dialog.get_by_label(t("To"), exact=True).fill("kari@example.com, ola@example.com")
    dialog.get_by_label(t("Quiet hours")).fill("22:00-07:00")
    dialog.get_by_role("button", name=t("OK"), exact=True).click()
    row = page.get_by_role("row").filter(has_text="kari@example.com, ola@example.com")
    expect(row).to_be_visible()
    (known,) = system.ask("alerts", "GET", "/v1/alert-channels")["items"]
    assert (known["quiet"], known["severity"]) == ({"from": "22:00:00", "to": "07:00:00"}, "warning")
    assert known["language"] == language
    row.get_by_role("button", name=t("Change {name}", name="kveld")).click()
    expect(dialog.get_by_label(t("Quiet hours"))).to_have_value("22:00-07:00")
    dialog.get_by_label(t("To"), exact=True).fill("kari@example.com")
    dialog.get_by_label(t("What"), exact=True).select_option("critical")
    dialog.get_by_label(t("Quiet hours")).fill("")
    dialog.get_by_role("button", name=t("OK"), exact=True).click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    row = page.get_by_role("row").filter(has_text="kari@example.com")
    expect(row).not_to_contain_text("ola@example.com")
    (changed,) = system.ask("alerts", "GET", "/v1/alert-channels")["items"]
    assert (changed["recipients"], changed["severity"], changed["quiet"]) == (["kari@example.com"], "critical", None)
    assert (changed["language"], changed["version"]) == (language, known["version"] + 1)
    row.get_by_role("button", name=t("Send a test: {name}", name="kveld")).click()
    expect(page.locator(".notice.bad")).to_contain_text("RETURPOST_ALERTS_SMTP_URL")
    row.get_by_role("button", name=t("Remove {name}", name="kveld")).click()
    expect(row).to_be_hidden()
    assert system.ask("alerts", "GET", "/v1/alert-channels")["items"] == []


def test_only_administrators_see_the_channels(visit: Visit) -> None:
    page = visit("marketer", "en")
    page.goto(f"{page.url}settings")
    expect(page.get_by_label("Accepted bounces", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="New channel")).to_be_hidden()
