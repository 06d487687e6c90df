"""What was done: operations with what they were over and into, by whom, how far they are, undo and files."""

from typing import Any
from urllib.parse import quote

from services.console.components.markup import Tag, empty, link
from services.console.components.progress import Progress
from services.console.components.shell import Pages, Visitor, heading, trail
from services.console.i18n import gettext_noop as _, operations as words
from services.console.pages.detail import facts
from services.console.pages.rows import BLOCKED, FILTERS, SHOWN, Rows

MOST = 50
MOST_ROWS = 200
VIEWS = {
    "recipients": _("Recipients"),
    "returned": _("Bounces"),
    "complaints": _("Spam complaints"),
    "blocked": _("Blocked addresses"),
}


def add(pages: Pages) -> None:
    """Serve the pages."""
    pages.add("/operations", _("Operations"), operations)
    pages.add("/operations/{operation}", _("Operation"), operation)


async def operations(visitor: Visitor) -> None:
    """The list of operations."""
    t = visitor.t
    heading(t("Operations"), t("Bulk operations on addresses: who ran them, and the result."))
    cursor = visitor.query.get("after") or None
    found = await visitor.api.get("actions", "/v1/operations", limit=MOST, cursor=cursor)
    rows: list[dict[str, Any]] = found["items"]
    with Tag("div", "sheet no-ticks"):
        if not rows:
            what = t("Select addresses under Mailings or Blocked addresses, then choose from the Actions menu.")
            empty("bolt", t("Nothing was done yet"), what)
            return
        with Tag("div", "scroller"), Tag("table", aria_label=t("Operations")):
            with Tag("thead"), Tag("tr"):
                for title in (t("What"), t("Over"), t("Result"), t("By"), t("When"), t("Status")):
                    with Tag("th", scope="col"):
                        Tag("span", "plain-head", title)
            with Tag("tbody"):
                for row in rows:
                    _row(visitor, row)
        if found["next_cursor"]:
            with Tag("div", "foot"):
                link(t("Older operations"), f"/operations?after={quote(found['next_cursor'], safe='')}", "button")


def _row(visitor: Visitor, row: dict[str, Any]) -> None:
    texts, t = visitor.texts, visitor.t
    with Tag("tr"):
        with Tag("td", "first"):
            link(t(words.NAMES.get(row["operation"], row["operation"])), f"/operations/{row['id']}")
            if told := into(visitor, row):
                Tag("span", "sub", told, title=told)
        Tag("td", text=over(visitor, row["target"]), data_label=t("Over"), title=over(visitor, row["target"]))
        with Tag("td", data_label=t("Result")):
            Tag("span", text=t("{done} of {all}", done=texts.number(row["done"]), all=texts.number(row["rows"])))
        Tag("td", text=row["requested_by"], data_label=t("By"))
        Tag("td", text=texts.time(row["requested_at"]), data_label=t("When"))
        with Tag("td", data_label=t("Status")):
            Tag("span", f"badge {words.TONES.get(row['state'], 'calm')}", t(words.STATES[row["state"]]))


def over(visitor: Visitor, target: dict[str, Any]) -> str:
    """Say which addresses an operation is over: how many were selected, or which list with which filters."""
    t, texts = visitor.t, visitor.texts
    if (named := target.get("addresses", target.get("rows"))) is not None:
        return texts.tn("{n} selected row", "{n} selected rows", named)
    if target.get("returned_in"):
        return t("All bounces of {mailing}", mailing=target["returned_in"])
    by = target.get("filter") or {}
    describe = Rows(visitor, BLOCKED).describe
    view = VIEWS.get(str(by.get("view")))
    parts = [t(view)] if view else []
    parts += [t(SHOWN[one]) for one in by.get("show", ()) if one in SHOWN]
    for name in FILTERS:
        if (value := by.get(name)) is not None:
            parts.append(describe(name, str(value).lower() if isinstance(value, bool) else str(value)))
    if by.get("q"):
        parts.append(t("Search: {q}", q=by["q"]))
    return t("All that match: {filters}", filters=" · ".join(parts))


def into(visitor: Visitor, row: dict[str, Any]) -> str:
    """Say what an operation made of them: into which list or file, from which address to which."""
    t, parameters = visitor.t, row["parameters"]
    name = row["list_name"] or parameters.get("name")
    if row["operation"] == "correct_address":
        if parameters.get("domains"):
            return ", ".join(f"{old} → {new}" for old, new in parameters["domains"].items())
        return f"{row['old_address'] or '?'} → {parameters.get('new') or '?'}"
    if row["operation"] == "export":
        kind = words.FORMATS.get(str(parameters.get("format")))
        return t(kind) if kind else ""
    if parameters.get("include"):
        return ", ".join(t(words.PROTECTED[one]) for one in parameters["include"] if one in words.PROTECTED)
    return t("“{name}”", name=name) if name else ""


async def operation(visitor: Visitor) -> None:
    """One operation."""
    t, texts, identity = visitor.t, visitor.texts, visitor.parameters["operation"]
    trail(visitor, (t("Operations"), "/operations"))
    path = f"/v1/operations/{quote(identity, safe='')}"
    known = await visitor.api.get("actions", path)
    heading(
        t(words.NAMES.get(known["operation"], known["operation"])),
        t("By {who}, {when}", who=known["requested_by"], when=texts.full_time(known["requested_at"])),
    )
    with Tag("div", "cards"):
        with Tag("section", "card half"):
            Tag("h2", text=t("Result"))
            Progress(visitor, identity, known["operation"]).begin()
        with Tag("section", "card half"):
            Tag("h2", text=t("Details"))
            done = t("{done} of {all}", done=texts.number(known["done"]), all=texts.number(known["rows"]))
            facts(
                {
                    t("Over"): over(visitor, known["target"]),
                    t("Into"): into(visitor, known),
                    t("Done"): done,
                    t("Skipped"): words.skipped(texts, known["outcomes"]),
                    t("Note"): known["note"],
                    t("Ended"): texts.full_time(known["finished_at"]),
                }
            )
            if known["result"].get("list"):
                _list_link(visitor, known)
        if known["outcomes"]:
            with Tag("section", "card"):
                await _left_out(visitor, path)


def _list_link(visitor: Visitor, known: dict[str, Any]) -> None:
    kind = "selections" if known["operation"].endswith("selection") else "projects"
    target = f"/{kind}/{quote(known['result']['list'], safe='')}"
    link(visitor.t("Show the members"), target, "button")


async def _left_out(visitor: Visitor, path: str) -> None:
    """Which rows were skipped or failed, and why."""
    t = visitor.t
    Tag("h2", text=t("Skipped and failed addresses"))
    found = await visitor.api.get("actions", f"{path}/rows", limit=MOST_ROWS)
    if not found["items"]:
        Tag("p", "quiet", t("Their addresses have been deleted."))
        return
    with Tag("table", "plain-table"):
        with Tag("thead"), Tag("tr"):
            for title in (t("E-mail address"), t("Why")):
                Tag("th", text=title, scope="col")
        with Tag("tbody"):
            for row in found["items"]:
                why = row["why"]
                with Tag("tr"):
                    Tag("td", text=row["address"])
                    Tag("td", text=t(words.SKIPPED[why]) if why in words.SKIPPED else why)
    if found["next_cursor"]:
        Tag("p", "quiet", t("The first {n} are shown.", n=visitor.texts.number(MOST_ROWS)))
