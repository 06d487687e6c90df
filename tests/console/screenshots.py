"""Pictures of every page, in both languages, light, dark and 360 px wide, and two flows that move: not a test.

`make screenshots`; `make recordings` for those that move alone.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from services.console.i18n import LANGUAGES
from tests.console import pictured
from tests.console.conftest import System, Visit, booted
from tests.console.recordings import test_record as test_record

FOLDER = pictured.SCREENSHOTS / "all"
MAILING = quote(pictured.MAILINGS[-1])
LOOKS = {"light": (1280, 800), "dark": (1280, 800), "narrow": (360, 780)}


@pytest.fixture(scope="module")
def system(backing: Any, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with the mailings of a quarter of a year, some selections, and users."""
    folder = tmp_path_factory.mktemp("pictured")
    with booted(backing, template, folder) as made:
        made.add_users()
        for contact, body in pictured.persons().items():
            made.ask("actions", "PUT", f"/v1/contacts/{contact}", body)
        rows = list(pictured.results())
        (folder / "results.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
        made.installation.run("send", str(folder / "results.jsonl"))
        returned = len({(row["mailing"], row["address"]) for row in rows if row["result"] == "bounced"})
        for name, members in pictured.selections().items():
            made.ask("actions", "POST", "/v1/selections", {"name": name, "members": members})
        made.installation.wait_for(lambda: made.count("returned/count") == returned)
        made.installation.wait_for(lambda: not made.ask("actions", "GET", "/v1/statistics")["pending"])
        yield made


def pages(system: System) -> dict[str, str]:
    """Return the pages by name: one blocked person and one returned row of those that there are."""
    blocked = system.ask("actions", "GET", "/v1/views/blocked?contact=true&reason=user_unknown&limit=1")["items"][0]
    wanted = f"mailing={MAILING}&sort=name&reason=user_unknown&contact=true"
    row = system.ask("actions", "GET", f"/v1/views/returned?{wanted}")["items"][0]
    return {
        "overview": "/", "mailings": "/mailings", "recipients": f"/mailings/{MAILING}?f.show=returned,opened",
        "bounces": f"/mailings/{MAILING}?tab=bounces&sort=name&open={row['address']}", "blocked": "/blocked",
        "grouped": "/blocked?group=reason", "returned": "/blocked?tab=returned&f.type=hard", "persons": "/contacts",
        "person": f"/contacts/{blocked['contact']}", "address": f"/addresses/{blocked['address']}",
        "typing-errors": "/blocked?tab=typing-errors", "selections": "/selections", "operations": "/operations",
        "settings": "/settings",
        "system": "/system", "users": "/users",
    }  # fmt: skip


@pytest.mark.services
@pytest.mark.parametrize("language", list(LANGUAGES))
@pytest.mark.parametrize("look", list(LOOKS))
def test_take_pictures(system: System, visit: Visit, language: str, look: str) -> None:
    width, height = LOOKS[look]
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, path in pages(system).items():
        user = "operator" if name == "system" else "administrator"
        page = visit(user, language, viewport={"width": width, "height": height})
        theme = "dark" if look == "dark" else "light"
        page.context.add_cookies([{"name": "theme", "value": theme, "url": system.url}])
        page.goto(system.url + path)
        page.wait_for_selector("h1")
        page.wait_for_function("document.fonts.status === 'loaded' && !document.querySelector('[aria-busy=true]')")
        page.wait_for_timeout(500)  # charts and the panel
        file = FOLDER / f"{name}-{language}-{look}.png"
        page.screenshot(path=file)
        page.context.close()
        sys.stderr.write(f"{file}\n")
