"""The bill of materials names each package of the image with its version and hashes."""

import re

import pytest

from deploy.sbom import LOCK, bill

pytestmark = pytest.mark.unit


def test_each_package_of_the_lock_is_in_the_bill() -> None:
    text = LOCK.read_text()
    components = bill(text)["components"]
    pinned = re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", text, re.MULTILINE)
    assert [(one["name"], one["version"]) for one in components] == pinned
    assert sum(len(one["hashes"]) for one in components) == text.count("--hash=sha256:")
    assert len(components) > 30
