"""What was done: operations with how far they are, undo and files; the audit beside them."""

from typing import Any

from services.console.components.markup import Tag, empty, link
from services.console.components.progress import Progress
from services.console.components.shell import Pages, Visitor, heading, trail
from services.console.i18n import gettext_noop as _, operations as words

MOST = 50


def add(pages: Pages) -> None:
    """Serve the pages."""
    pages.add("/operations", _("Operations"), operations)
    pages.add("/operations/{operation}", _("Operation"), operation)


async def operations(visitor: Visitor) -> None:
    """The list of operations."""
    t = visitor.t
    heading(t("Operations"), t("Bulk operations on addresses: who ran them, and the result."))
    found = await visitor.api.get("actions", "/v1/operations", limit=MOST)
    rows: list[dict[str, Any]] = found["items"]
    with Tag("div", "sheet no-ticks"):
        if not rows:
            what = t("Select addresses under Mailings or Blocked addresses, then choose from the Actions menu.")
            empty("bolt", t("Nothing was done yet"), what)
            return
        with Tag("div", "scroller"), Tag("table"):
            with Tag("thead"), Tag("tr"):
                for title in (t("What"), t("By"), t("When"), t("Status"), t("Addresses")):
                    with Tag("th", scope="col"):
                        Tag("span", "plain-head", title)
            with Tag("tbody"):
                for row in rows:
                    _row(visitor, row)


def _row(visitor: Visitor, row: dict[str, Any]) -> None:
    texts, t = visitor.texts, visitor.t
    identity = row["id"]
    with Tag("tr"):
        with Tag("td", "first"):
            link(t(words.NAMES.get(row["operation"], row["operation"])), f"/operations/{identity}")
        Tag("td", text=row["requested_by"], data_label=t("By"))
        Tag("td", text=texts.time(row["requested_at"]), data_label=t("When"))
        with Tag("td", data_label=t("Status")):
            Tag("span", f"badge {words.TONES.get(row['state'], 'calm')}", t(words.STATES[row["state"]]))
        Tag("td", "number", texts.number(row["rows"]), data_label=t("Addresses"))


async def operation(visitor: Visitor) -> None:
    """One operation."""
    t, identity = visitor.t, visitor.parameters["operation"]
    trail(visitor, (t("Operations"), "/operations"))
    known = await visitor.api.get("actions", f"/v1/operations/{identity}")
    heading(
        t(words.NAMES.get(known["operation"], known["operation"])),
        t("By {who}, {when}", who=known["requested_by"], when=visitor.texts.full_time(known["requested_at"])),
    )
    with Tag("div", "card"):
        Progress(visitor, identity, known["operation"]).begin()
