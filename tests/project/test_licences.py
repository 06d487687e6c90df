"""What is installed with the image may be passed on: its licences are of those that Apache-2.0 goes together with."""

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit
LOCK = Path(__file__).parents[2] / "deploy/requirements.lock"
ALLOWED = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla Public License 2\.0|Unlicense|Public Domain|LGPL"
    r"|Lesser General Public|Zlib|CC0|0BSD|PostgreSQL"
)
"""MPL-2.0 and LGPL bind changes to the library itself, of which there are none here."""


def names() -> list[str]:
    return re.findall(r"^([A-Za-z0-9_.-]+)==", LOCK.read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", names())
def test_the_licence_of_a_dependency_allows_to_pass_it_on(name: str) -> None:
    try:
        about = metadata(name)
    except PackageNotFoundError:
        pytest.skip("not for this platform")
    told = [about[field] for field in ("License-Expression", "License") if field in about]
    told += [line for line in about.get_all("Classifier") or [] if line.startswith("License ::")]
    assert ALLOWED.search(" ".join(told)), f"{name}: {told}"[:300]
