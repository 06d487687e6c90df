"""Each test that the threat model and the limits name exists: what is claimed is shown."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("docs/explanation/threat-model.md", "docs/reference/limits.md")
ATTACKERS = (
    "A stranger with HTTP", "A forged webhook of a provider", "Tenant against tenant", "A person with an account",
    "A stolen token or session", "A malicious mail", "A malicious receiver of webhooks",
    "A sender's broker user", "A CRM's broker user", "A service that was taken over",
    "Another user of the same machine", "An operator",
)  # fmt: skip

pytestmark = pytest.mark.unit


def names_of_tests() -> set[str]:
    found = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    return {name for text in found for name in re.findall(r"^\s*(?:async )?def (test_\w+)\(", text, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES)
def test_each_test_that_is_named_exists(page: str) -> None:
    named = set(re.findall(r"\btest_\w+", (ROOT / page).read_text()))
    assert len(named) > 10
    assert named - names_of_tests() == set()


def test_each_attacker_has_rows_and_each_row_a_test() -> None:
    text = (ROOT / PAGES[0]).read_text()
    for attacker in ATTACKERS:
        section = text.partition(f"## {attacker}\n")[2].partition("\n## ")[0]
        rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
        assert rows, attacker
        assert all("`test_" in row for row in rows), attacker
