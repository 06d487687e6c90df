"""Every page by axe (WCAG 2.2 AA), light and dark; and what those see who come without a session or a service."""

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from services.console.i18n import Texts
from tests.console.conftest import MAILING, System, Visit

pytestmark = pytest.mark.services
AXE = "axe-core@4.14.1"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PATHS = (
    "/", "/mailings", f"/mailings/{MAILING}", f"/mailings/{MAILING}?tab=bounces&open=anna@nowhere.example", "/blocked",
    "/blocked?group=reason", "/contacts", "/contacts/c1", "/operations", "/settings", "/users",
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


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible_by_axe(system: System, visit: Visit, axe: str, theme: str) -> None:
    page = visit("administrator", "nb" if theme == "dark" else "en", bypass_csp=True)  # axe writes styles of its own
    page.context.add_cookies([{"name": "theme", "value": theme, "url": system.url}])
    found = {}
    for path in PATHS:
        page.goto(system.url + path)
        page.wait_for_selector("h1")
        page.evaluate(axe)
        told = page.evaluate("rules => axe.run({runOnly: {type: 'tag', values: rules}})", RULES)
        faults = [f"{fault['id']}: {fault['nodes'][0]['html'][:150]}" for fault in told["violations"]]
        if faults:
            found[path] = faults
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
