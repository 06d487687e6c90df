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
