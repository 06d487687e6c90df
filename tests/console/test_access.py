"""Every page by axe (WCAG 2.2 AA), light and dark; and what those see who come without a session or a service."""

import os
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from services.console.components.tables.actions_menu import ORDER
from services.console.i18n import Texts
from services.console.i18n.operations import NAMES
from tests.console.conftest import DEAD, MAILING, System, Visit
from tests.console.test_language import left_in

pytestmark = pytest.mark.services
AXE = "axe-core@4.14.1"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PATHS = (
    "/", "/mailings", f"/mailings/{MAILING}", f"/mailings/{MAILING}?tab=bounces&open=anna@nowhere.example", "/blocked",
    "/blocked?group=reason", "/blocked?tab=typing-errors", "/blocked?tab=domains", "/contacts", "/contacts/c1",
    f"/addresses/{DEAD}", "/selections", "/projects", "/operations", "/settings", "/users", "/account",
)  # fmt: skip


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, from the npm registry, kept outside the project."""
    folder = Path(tempfile.gettempdir()) / "returpost-axe"
    folder.mkdir(exist_ok=True)
    kept = folder / f"{AXE.replace('@', '-')}.js"
    if not kept.exists():
        try:
            done = subprocess.run(
                ["npm", "pack", "--silent", AXE], cwd=folder, capture_output=True, text=True, timeout=60
            )
            with tarfile.open(folder / done.stdout.strip()) as package:
                file = package.extractfile("package/axe.min.js")
                assert file is not None
                kept.write_bytes(file.read())
        except (OSError, subprocess.TimeoutExpired, tarfile.TarError):
            pytest.skip("axe-core cannot be had from the npm registry here")
    return kept.read_text()


@pytest.mark.parametrize("language", ["nb", "en"])
def test_what_is_not_there_says_so_and_leads_back(system: System, visit: Visit, language: str) -> None:
    t, page = Texts(language).t, visit("marketer", language)
    answer = page.context.request.get(f"{system.url}/nothing", headers={"Accept-Language": language})
    assert answer.status == 404
    assert f"<h1>{t('There is no such page')}</h1>" in answer.text()
    assert f'href="/">{t("To the overview")}</a>' in answer.text()
    for path in ("/mailings/nothing", "/contacts/nothing"):
        page.goto(system.url + path)
        expect(page.get_by_text(t("What you asked for is not there."))).to_be_visible()


def faults(page: Page, axe: str, part: str = "html") -> list[str]:
    """Return what axe finds in a part of the page."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe)
    asked = {"runOnly": {"type": "tag", "values": RULES}}
    told = page.evaluate("([part, asked]) => axe.run(part, asked)", [part, asked])
    return [f"{fault['id']}: {fault['nodes'][0]['html'][:150]}" for fault in told["violations"]]


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 320)])
def test_every_page_is_accessible_by_axe(system: System, visit: Visit, axe: str, theme: str, width: int) -> None:
    """320 pixels are a window of 1280 at 400%: WCAG 2.2, 1.4.10."""
    window: dict[str, Any] = {"bypass_csp": True, "viewport": {"width": width, "height": 800}}  # axe writes styles
    page = visit("administrator", "nb" if theme == "dark" else "en", **window)
    page.context.add_cookies([{"name": "theme", "value": theme, "url": system.url}])
    made = system.ask("actions", "POST", "/v1/selections", {"name": "By axe", "members": ["c1"]})
    found = {}
    for path in (*PATHS, f"/selections/{made['id']}"):
        page.goto(system.url + path)
        page.wait_for_selector("h1")
        page.wait_for_function("!document.querySelector('[aria-busy=true]')")
        if told := faults(page, axe):
            found[path] = told
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    assert found == {}


def test_every_dialog_is_accessible_by_axe(system: System, visit: Visit, axe: str) -> None:
    page, found = visit("administrator", "en", bypass_csp=True), {}
    dialog = page.get_by_role("dialog")

    def look(name: str) -> None:
        expect(dialog.locator("button").first).to_be_visible()
        if told := faults(page, axe, "dialog"):
            found[name] = told
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)

    page.goto(f"{system.url}/mailings/{MAILING}?tab=bounces")
    page.locator("tr.item input[type=checkbox]").first.check()
    for name in filter(None, ORDER):
        page.locator(".foot summary").click()
        page.locator(".foot .menu-box").get_by_role("button", name=NAMES[name], exact=True).click()
        expect(dialog.locator(".dialog-foot button").nth(1)).to_be_visible()
        look(name)
    made = system.ask("actions", "POST", "/v1/projects", {"name": "By axe", "members": ["c1"]})
    for path, buttons in (
        ("/users", ("New user", "New token", "Edit viewer")),
        ("/blocked", ("Block addresses", "Import a list")),
        ("/blocked?tab=domains", ("Block domains",)),
        ("/contacts", ("Import people",)),
        (f"/projects/{made['id']}", ("Rename", "Merge into another", "Delete")),
    ):
        page.goto(system.url + path)
        for name in buttons:
            page.get_by_role("button", name=name, exact=True).first.click()
            look(name)
    page.goto(f"{system.url}/settings")
    page.get_by_label("Accepted bounces", exact=True).fill("4")
    page.get_by_role("button", name="Preview and save").first.click()
    look("settings")
    assert found == {}


def test_without_a_session_every_page_leads_to_sign_in_and_back(system: System) -> None:
    answer = httpx.get(f"{system.url}/blocked?tab=complaints")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fblocked%3Ftab%3Dcomplaints"
    page = httpx.get(f"{system.url}/sign-in")
    assert page.headers["x-frame-options"] == "DENY"
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"


def test_a_request_from_another_page_is_refused_and_a_wrong_password_said_plainly(system: System) -> None:
    form = {"name": "marketer", "password": "wrong"}
    forged = httpx.post(f"{system.url}/sign-in", data=form, headers={"Origin": "https://evil.example"})
    assert forged.status_code == 403
    wrong = httpx.post(f"{system.url}/sign-in", data=form, headers={"Accept-Language": "nb"})
    assert wrong.status_code == 401
    assert "Navnet eller passordet er feil." in wrong.text


@contextmanager
def console(**urls: str) -> Iterator[str]:
    """A console of its own that knows these services alone, by its URL."""
    services = ("INGEST", "CLASSIFIER", "BLOCKLIST", "ACTIONS", "REPLAY")
    given = {f"RETURPOST_{name}_URL": urls.get(name.lower(), "http://127.0.0.1:1") for name in services}
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RETURPOST_")}
    given |= plain | {"RETURPOST_HTTP_PORT": "0", "RETURPOST_LOG_CONSOLE": "true"}
    command = [sys.executable, "-m", "services.console.app"]
    process = subprocess.Popen(command, env=given, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        line = next(line for line in process.stderr if "running on" in line)
        yield line.split("running on ")[1].split()[0]
    finally:
        process.terminate()
        process.communicate()


PATIENT_SECONDS = 15.0
"""Three times what a page needs that waits for a service until the deadline, on a machine that is busy."""


def test_page_is_drawn_while_a_service_hangs(system: System, visit: Visit) -> None:
    t = Texts("nb").t
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and never answers
        hung = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with console(actions=system.urls["actions"], blocklist=hung, replay=hung) as url:
            page = visit("operator", "nb", at=url)
            for path in ("/", f"/addresses/{DEAD}", "/settings", "/system"):
                began = time.monotonic()
                page.goto(url + path)
                part = t(
                    "the service that keeps dead letters" if path == "/system" else "the service for blocked addresses"
                )
                expect(page.locator(".notice.warn").filter(has_text=part).first).to_be_visible()
                assert time.monotonic() - began < PATIENT_SECONDS, path
            page.goto(f"{url}/addresses/{DEAD}")
            expect(page.locator(".timeline li").first).to_be_visible()
            page.close()  # before the console ends: a page that is open goes on asking for it


def test_signing_in_says_which_part_is_missing() -> None:
    with console() as url:
        answer = httpx.post(f"{url}/sign-in", data={"name": "x", "password": "y"})
    assert answer.status_code == 503
    assert "does not answer" in answer.text


def test_a_service_that_is_away_is_named_and_the_rest_works(system: System, visit: Visit) -> None:
    with console(actions=system.urls["actions"]) as url:
        page = visit("administrator", "nb", at=url)
        away = Texts("nb").t("the service for blocked addresses")
        expect(page.locator(".notice.warn").filter(has_text=away)).to_be_visible()
        expect(page.get_by_role("heading", name=Texts("nb").t("Bounce rate by mailing"))).to_be_visible()
        page.goto(f"{url}/blocked")
        expect(page.locator("tr.item").first).to_be_visible()
        page.goto(f"{url}/settings")
        expect(page.locator(".notice.warn").first).to_contain_text(away)
        page.goto(f"{url}/system")
        expect(page.locator("h1")).to_be_visible()
        page.close()


def test_signing_in_at_an_openid_connect_provider_leads_to_where_one_wanted_to_be(
    system: System, browser: Browser
) -> None:
    with browser.new_context(locale="nb-NO") as context:
        page = context.new_page()
        page.goto(f"{system.url}/blocked?tab=complaints")
        page.get_by_role("link", name=Texts("nb").t("Sign in with {name}", name="Firma")).click()
        page.wait_for_url(f"{system.url}/blocked?tab=complaints")
        expect(page.get_by_role("heading", level=1)).to_have_text(Texts("nb").t("Blocked addresses"))
        expect(page.locator(".me-name")).to_have_text("kari@firma.example")


def test_who_is_no_user_here_or_comes_back_without_having_been_sent_is_not_let_in(system: System) -> None:
    system.provider.user = system.provider.user | {"email": "stranger@firma.example"}
    with httpx.Client(follow_redirects=True, headers={"Accept-Language": "en"}) as client:
        stranger = client.get(f"{system.url}/sign-in/provider")
        assert stranger.status_code == 403
        assert "have no access here" in stranger.text
        forged = client.get(f"{system.url}/sign-in/provider/callback?code=x&state=y")
    assert forged.status_code == 401
    system.provider.user = system.provider.user | {"email": "kari@firma.example"}


def test_an_operator_follows_an_address_to_its_block(system: System, visit: Visit, axe: str) -> None:
    for language in ("en", "nb"):
        page, t = visit("operator", language, bypass_csp=True), Texts(language).t
        page.goto(f"{system.url}/addresses/{DEAD}")
        page.get_by_role("link", name=t("Follow its events")).click()
        expect(page.get_by_label(t("Address, mailing or id"))).to_have_value(DEAD)
        page.get_by_role("button", name=t("Follow"), exact=True).click()
        expect(page.get_by_text(t("Say why."))).to_be_visible()
        page.get_by_label(t("Why"), exact=True).fill("ticket 4711")
        page.get_by_role("button", name=t("Follow"), exact=True).click()
        steps = page.locator(".timeline li")
        verdict, blocked = steps.filter(has_text="bounce.classified"), steps.filter(has_text="address.blocked")
        expect(verdict).to_contain_text("verdict.type: hard")
        expect(blocked).to_contain_text("actions.address-blocked")
        expect(blocked).to_contain_text(t("taken"))
        cause = verdict.locator("code").inner_text()
        expect(blocked).to_contain_text(t("follows from {id} after {n} s", id=cause, n="#").partition("#")[0])
        assert faults(page, axe) == []
    assert left_in(page) == set()


def test_an_operator_sends_a_part_of_the_archive_again_and_follows_it(system: System, visit: Visit) -> None:
    page = visit("operator", "nb")
    t = Texts("nb").t
    page.goto(f"{system.url}/system")
    page.get_by_label(t("Into the queue")).select_option("actions.bounce-classified")
    page.get_by_label(t("From"), exact=True).fill("2026-11-01T00:00")
    page.get_by_label(t("Until"), exact=True).fill("2099-01-01T00:00")
    page.get_by_role("button", name=t("Count them")).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("actions.bounce-classified")
    dialog.get_by_role("button", name="OK").click()
    jobs = page.get_by_role("table", name=t("Replays"))
    expect(jobs).to_contain_text(t("Archive replayed"))
    expect(jobs.locator(".badge")).to_have_text(t("Done"))
