"""What Returpost looks like: the mark, and where the style sheet is."""

import hashlib
from pathlib import Path

ASSETS = Path(__file__).parents[1] / "assets"
MARK = '<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><use href="/assets/icons.svg#mark"></use></svg>'


def asset(name: str) -> str:
    """Return the address of an asset, another one whenever its content is another."""
    digest = hashlib.sha256((ASSETS / name).read_bytes()).hexdigest()[:10]
    return f"/assets/{name}?{digest}"


STYLE_SHEET = asset("style.css")
