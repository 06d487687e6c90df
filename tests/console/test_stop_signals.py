"""A paused mailing says since when and why, and is resumed with a reason."""

from playwright.sync_api import expect

from services.console.i18n import Texts
from tests.console.conftest import CLEANED, System, Visit


def test_paused_mailing_is_resumed_with_a_reason(system: System, visit: Visit) -> None:
    path = f"/v1/mailings/{CLEANED}"
    system.ask("actions", "POST", f"{path}/pause", {"why": "feil emne"})
    page, t = visit(language="nb"), Texts("nb").t
    page.goto(f"{page.url}mailings/{CLEANED}")
    expect(page.get_by_text("feil emne")).to_be_visible()
    page.get_by_role("button", name=t("Resume the mailing")).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name=t("Resume"), exact=True).click()
    expect(dialog.get_by_text(t("Enter a reason."))).to_be_visible()
    dialog.get_by_label(t("Why"), exact=True).fill("rettet")
    dialog.get_by_role("button", name=t("Resume"), exact=True).click()
    expect(page.get_by_role("button", name=t("Resume the mailing"))).to_be_hidden()
    known = system.ask("actions", "GET", f"{path}/stop-signals")["pause"]
    assert (known["paused"], known["why"]) == (False, "rettet")


def test_thresholds_are_tried_out_and_saved(system: System, visit: Visit) -> None:
    page, t = visit("administrator", "en"), Texts("en").t
    page.goto(f"{page.url}settings")
    card = page.locator("section.card", has=page.get_by_role("heading", name=t("When mailings are paused")))
    pause = card.get_by_role("group", name=t("Spam complaints")).get_by_label(t("Pause from (per cent)"))
    expect(pause).to_have_value("0.3")
    pause.fill("x")
    expect(card.get_by_text(t("A number above 0 and up to 100; empty: never."))).to_be_visible()
    pause.fill("0,5")
    card.get_by_role("group", name=t("Hard bounces")).get_by_label(t("Pause from (per cent)")).fill("")
    card.get_by_role("button", name=t("Preview and save")).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("90 days")).to_be_visible()
    dialog.get_by_role("button", name=t("Save"), exact=True).click()
    expect(card.get_by_text(t("Saved."))).to_be_visible()
    known = system.ask("actions", "GET", "/v1/stop-signals")
    assert (known["complaints"]["pause"], known["hard_bounces"]) == (0.005, {"warning": 0.05, "pause": None})
