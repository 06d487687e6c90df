"""A provider is named in one module: its own. A new one needs no other change of the code."""

import re
from pathlib import Path

import pytest

from returpost.bounces.providers import PROVIDERS

ROOT = Path(__file__).parents[4]
CODE = [path for folder in ("returpost", "services", "shared") for path in (ROOT / folder).rglob("*.py")]
ELSEWHERE = {
    "kumomta": {"services/ingest/app.py", "services/ingest/webhooks/handlers.py"},  # its AMQP log hook
    "resend": {
        "returpost/cli/operate/outbound/webhooks.py",
        "services/blocklist/outbound_webhooks/http/deliveries.py",
    },  # the verb
}
"""Places that are about something else of the same name."""
FILES = "services/blocklist/suppression_files/reader.py"
"""Knows how some of them export their suppression lists."""


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_provider_is_named_in_its_module_alone(provider: str) -> None:
    module = provider.replace("-", "_")
    name = re.compile(rf"""["'/]({provider}|{module})["'_/:]""")
    named = {path.relative_to(ROOT).as_posix() for path in CODE if name.search(_without_docs(path.read_text()))}
    own = {place for place in named if place.endswith(f"/{module}.py")}
    assert named - own - ELSEWHERE.get(provider, set()) - {FILES} == set()


def test_providers_are_found_by_lying_in_the_package() -> None:
    folder = ROOT / "returpost/bounces/providers"
    modules = {path.stem for path in folder.glob("*/*.py") if path.stem != "__init__"}
    assert {name.replace("-", "_") for name in PROVIDERS} == modules


def _without_docs(text: str) -> str:
    """Return the code without docstrings and comments, which may give examples."""
    return re.sub(r'"""(?:.|\n)*?"""|#[^\n]*', "", text)
