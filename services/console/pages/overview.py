"""Overview."""

from services.console.parts.shell import Pages, Visitor, heading
from services.console.texts import marked as _


def add(pages: Pages) -> None:
    """Serve the page."""
    pages.add("/", _("Overview"), overview)


async def overview(visitor: Visitor) -> None:
    """Draw."""
    heading(visitor.t("Overview"))
