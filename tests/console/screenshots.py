"""Pictures of every page, in both languages, light, dark and 360 px wide: `make screenshots` (not a test)."""

import sys
from pathlib import Path

import pytest

from services.console.texts import LANGUAGES
from tests.console.conftest import DEAD, MAILING, System, Visit

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots" / "all"
PAGES = {
    "overview": "/", "mailings": "/mailings", "recipients": f"/mailings/{MAILING}",
    "bounces": f"/mailings/{MAILING}?tab=bounces&open={DEAD}", "blocked": "/blocked", "persons": "/contacts",
    "person": "/contacts/c1", "activity": "/activity", "settings": "/settings", "users": "/users",
}  # fmt: skip
LOOKS = {"light": (1280, 800), "dark": (1280, 800), "narrow": (360, 780)}


@pytest.mark.services
@pytest.mark.parametrize("language", list(LANGUAGES))
@pytest.mark.parametrize("look", list(LOOKS))
def test_take_pictures(system: System, visit: Visit, language: str, look: str) -> None:
    width, height = LOOKS[look]
    page = visit("administrator", language, viewport={"width": width, "height": height})
    theme = "dark" if look == "dark" else "light"
    page.context.add_cookies([{"name": "theme", "value": theme, "url": system.url}])
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, path in PAGES.items():
        page.goto(system.url + path)
        page.wait_for_selector("h1")
        page.wait_for_load_state("networkidle")
        file = FOLDER / f"{name}-{language}-{look}.png"
        page.screenshot(path=file)
        sys.stderr.write(f"{file}\n")
