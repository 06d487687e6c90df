"""Which release runs: what dead letters say of the code that failed."""

import os
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

MAX_RELEASE = 64
CHECKOUT = Path(__file__).parents[1] / "pyproject.toml"
_VERSION = re.compile(r'^version = "([^"]+)"', re.MULTILINE)


@cache
def release() -> str:
    """Return `RETURPOST_RELEASE` (a tag or commit that the deployment sets), else the version of the package."""
    if named := os.environ.get("RETURPOST_RELEASE", "").strip():
        return named[:MAX_RELEASE]
    try:
        return version("returpost")
    except PackageNotFoundError:  # a checkout
        found = _VERSION.search(CHECKOUT.read_text()) if CHECKOUT.is_file() else None
        return found[1] if found else "unknown"
