"""A system as `returpost up` runs it, for all tests of the console, and a real Chromium that looks at it."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from deploy.local import install
from tests.conftest import made_database, made_vhost
from tests.deploy.test_local_stack import TENANT, UpProcess, environment_of
from tests.support.openid import CLIENT, SECRET, OpenIdProvider, openid_provider

PASSWORD = "correct horse battery"
ARGUMENTS = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)
MAILING = "autumn"
DEAD, COMPLAINED = "anna@nowhere.example", "angry@fine.example"
RESULTS: tuple[dict[str, Any], ...] = (
    {"address": DEAD, "result": "bounced", "diagnostic": "550 5.1.2 Domain not found"},
    {"address": "gone@known.example", "result": "bounced", "diagnostic": "550 5.1.1 User unknown"},
    {"address": "left@known.example", "result": "bounced", "diagnostic": "550 5.1.1 User unknown"},
    {"address": "ok@fine.example", "result": "delivered"},
    {"address": COMPLAINED, "result": "complained"},
    {"address": "reader@fine.example", "result": "opened"},
)
CLOSED = "closed-down.example"
"""A domain that is blocked as a whole."""
CLEANED = "winter"
"""A mailing whose addresses are worked on: each by one test, in one language."""
TASKS = ("delete", "leave", "clear", "correct", "erase")
GONE = tuple(f"{task}-{language}@gone.example" for task in TASKS for language in ("nb", "en"))
SLIPS = ("slipa@gmial.com", "slipb@gmial.com", "slipc@hotnail.com")
"""Addresses whose domains are misspelt."""
COUNTED = "counted@strict.example"
"""Came back once, for a reason that counts and does not block."""
LARGE, LARGE_RETURNS = "large", 130
"""A mailing of which more came back than a page shows."""
CONTACTS = {
    "c1": {"name": "Anna Berg", "company": "Nordlys", "addresses": [DEAD]},
    "c2": {"name": "Gunnar Gone", "company": "Known", "addresses": ["gone@known.example"]},
    "c3": {"name": "Leif Left", "company": "Known", "addresses": ["left@known.example"]},
    **{address.partition("@")[0]: {"name": f"Person {address}", "addresses": [address]} for address in (*GONE, *SLIPS)},
}


def results() -> Iterator[dict[str, Any]]:
    """Yield what is handed in."""
    for nth, row in enumerate(RESULTS):
        yield {"mailing": MAILING, "time": f"2026-11-24T08:00:0{nth}Z"} | row
    later = {"time": "2026-11-24T07:00:00Z", "result": "bounced"}
    for address in (*GONE, *SLIPS):
        yield later | {"mailing": CLEANED, "address": address, "diagnostic": "550 5.1.1 User unknown"}
    yield later | {"mailing": CLEANED, "address": COUNTED, "diagnostic": "554 5.7.1 Message rejected as spam"}
    for nth in range(LARGE_RETURNS):
        full = {"address": f"full{nth}@busy.example", "diagnostic": "452 4.2.2 Mailbox full"}
        yield later | full | {"mailing": LARGE}


class System:
    """The running system, with a mailing, persons and users in it."""

    def __init__(self, up_process: UpProcess, provider: OpenIdProvider) -> None:
        self.installation, self.provider = up_process, provider
        self.signed_in: dict[tuple[str, str], Any] = {}
        """Cookies of each user, by where: one signs in once."""
        running = up_process.installation.running()
        assert running is not None
        self.urls = running.urls
        token = up_process.run("token", "--scopes", "send,check,read,write,administer", "--tenant", TENANT).strip()
        self._http = httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=30)

    @property
    def url(self) -> str:
        """Where the console is."""
        return self.urls["console"]

    def ask(self, service: str, method: str, path: str, body: Any = None) -> Any:
        """Ask a service."""
        answer = self._http.request(method, self.urls[service] + path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def is_blocked(self, address: str) -> bool:
        """Tell whether mailings skip an address."""
        return bool(self.ask("blocklist", "GET", f"/v1/addresses/{address}")["blocked"])

    def fill(self, folder: Path) -> None:
        """Hand in a mailing, tell of the persons, make a user of each kind; wait until all of it is known."""
        file = folder / "results.jsonl"
        file.write_text("\n".join(json.dumps(line) for line in results()))
        for contact, body in CONTACTS.items():
            self.ask("actions", "PUT", f"/v1/contacts/{contact}", body)
        self.installation.run("send", str(file))
        self.add_users()
        self.ask("actions", "POST", "/v1/users", {"name": "kari@firma.example", "role": "viewer"})
        self.ask("blocklist", "POST", "/v1/domain-blocks", {"domains": [CLOSED], "note": "Konkurs"})
        self.installation.wait_for(lambda: self.is_blocked(DEAD) and self.is_blocked(COMPLAINED))
        self.installation.wait_for(self._is_known)

    def add_users(self) -> None:
        """Make a user of each role; the operator is for all tenants."""
        for role in ("viewer", "marketer", "administrator"):
            self.ask("actions", "POST", "/v1/users", {"name": role, "role": role, "password": PASSWORD})
        operator = ("user", "add", "--tenant", "*", "--home", TENANT, "--role", "operator", "operator")
        self.installation.run(*operator, given=PASSWORD)

    def count(self, query: str) -> int:
        """Return how many rows a view has."""
        return int(self.ask("actions", "GET", f"/v1/views/{query}")["count"])

    def _is_known(self) -> bool:
        """Tell whether all that was handed in has come to where the console looks."""
        blocked = self.count("blocked/count?contact=true")
        return blocked == len(CONTACTS) and self.count(f"returned/count?mailing={LARGE}") == LARGE_RETURNS

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


@contextlib.contextmanager
def booted(backing: Any, template: str, folder: Path) -> Iterator[System]:
    """Run a system of one's own, with nothing in it."""
    servers = (made_vhost(backing), made_database(backing, template), openid_provider())
    with servers[0] as vhost, servers[1] as database, servers[2] as provider:
        environment = environment_of(backing, vhost, database) | {
            "RETURPOST_ACTIONS_DELETE_GRACE": "PT0S",
            "RETURPOST_CONSOLE_DEADLINE": "PT20S",  # a busy machine is no fault of a service
            "RETURPOST_INGEST_DNS_SERVERS": "127.0.0.1",  # nobody is asked outside
            "RETURPOST_INGEST_DNS_PORT": "1",
            "RETURPOST_ACTIONS_OIDC_ISSUER": provider.url,
            "RETURPOST_ACTIONS_OIDC_CLIENT_ID": CLIENT,
            "RETURPOST_ACTIONS_OIDC_CLIENT_SECRET": SECRET,
            "RETURPOST_ACTIONS_OIDC_NAME": "Firma",
        }
        up_process = UpProcess(folder, environment)
        try:
            up_process.up()
            with contextlib.closing(System(up_process, provider)) as made:
                yield made
        finally:
            up_process.end()


@pytest.fixture(scope="package")
def system(backing: Any, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One system for all tests of the console; each of them changes addresses of its own alone."""
    folder = tmp_path_factory.mktemp("console")
    with booted(backing, template, folder) as made:
        made.fill(folder)
        yield made


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    found = install.chromium()
    if found is None:
        pytest.skip("Chromium is not installed, and cannot be installed from here")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        arguments = ["--headless=new", *sandbox, *ARGUMENTS]
        started = playwright.chromium.launch(executable_path=str(found), args=arguments)
        yield started
        started.close()


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, system: System) -> Iterator[Visit]:
    """Sign in as a user, in a language, in a window of one's own; whatever the browser complains of fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def sign_in(user: str = "marketer", language: str = "en", at: str = system.url, **window: Any) -> Page:
        locale = "nb-NO" if language == "nb" else "en-GB"
        context = browser.new_context(locale=locale, timezone_id="Europe/Oslo", accept_downloads=True, **window)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        if (at, user) in system.signed_in:
            context.add_cookies(system.signed_in[at, user])
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{at}/")
        if (at, user) not in system.signed_in:
            page.fill("input[name=name]", user)
            page.fill("input[name=password]", PASSWORD)
            page.click("button.primary")
            page.wait_for_url(f"{at}/")
            kept = [cookie for cookie in context.cookies() if cookie["name"] in ("returpost-session", "tenant")]
            system.signed_in[at, user] = kept
        return page

    yield sign_in
    for context in contexts:
        context.close()
    assert complaints == []
