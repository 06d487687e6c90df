"""Rows of the actions service's views: recipients of a mailing, what was returned, complaints, blocked addresses."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from returpost.contracts.enums import BlockCause, Reason
from services.console.components.shell import Visitor
from services.console.components.tables.filters import Narrowing
from services.console.components.tables.source import Cells, Column, Found, Group, Groups, Total
from services.console.components.tables.table import Table
from services.console.components.tables.view import View
from services.console.i18n import Texts, gettext_noop as _, reasons
from services.console.pages.detail import cause_of, code_of, reason_cell

ADDRESS = Column("address", _("E-mail address"), group="domain", group_title=_("Group by receiving domain"))
NAME = Column("name", _("Name"), group="name")
COMPANY = Column("company", _("Company"), group="company")
REASON = Column("reason", _("Reason"), group="reason")
CODE = Column("code", _("Code"), shown=False)
SENT = Column("sent_at", _("Sent"), shown=False)
MAILING = Column("mailing", _("Mailing"), group="mailing", shown=False)
RETURNED = Column("returned_at", _("Bounced"), group="day", group_title=_("Group by day"))
COMPLAINED = Column("complained_at", _("Complained"), group="day", group_title=_("Group by day"))
SINCE = Column("blocked_since", _("Blocked since"), group="day", group_title=_("Group by day"))

SEARCH_HELP = _(
    "The beginning of a name, a company or an address; @example.com: a domain; *berg: any part of an address"
)

SHOWN = {
    "sent": _("Sent"),
    "returned": _("Bounced"),
    "opened": _("Opened"),
    "complained": _("Complained"),
    "ready": _("Ready"),
    "blocked": _("Blocked"),
}
"""What became of a recipient; of several any."""
YES_OR_NO = ("true", "false")
FILTERS = (
    "reason", "domain", "company", "day", "first", "last", "mailing", "blocked", "contact", "cause", "type", "status",
    "name", "return_count",
)  # fmt: skip
NATURAL = {"day": True, "return_count": True, "status": False, "name": False, "company": False}
"""Groups that have an order of their own, and whether the last comes first; all others begin with the largest."""
STATUS_ORDER = tuple(reasons.STATUSES)


@dataclass(frozen=True, slots=True)
class Kind:
    """One view: its name in the service, and how it looks at first."""

    view: str
    caption: str
    columns: Sequence[Column]
    sort: str
    descending: bool
    empty: tuple[str, str, str]
    by_address: bool = False
    """Whether a row is an address, and not a recipient of a mailing."""


RECIPIENTS = Kind(
    "recipients",
    _("Recipients with the status of each"),
    (ADDRESS, NAME, COMPANY, Column("status", _("Status"), group="status"), REASON, CODE,
     replace(SENT, shown=True), replace(RETURNED, shown=False)),
    "address",
    False,
    ("people", _("Nobody here"), _("Recipients show up here as soon as results of this mailing come in.")),
)  # fmt: skip
BOUNCES = Kind(
    "returned",
    _("Bounces"),
    (
        ADDRESS,
        NAME,
        COMPANY,
        Column("type", _("Type"), group="type"),
        REASON,
        replace(CODE, shown=True),
        RETURNED,
        SENT,
    ),
    "returned_at",
    True,
    ("ok", _("No bounces"), _("Every e-mail of this mailing arrived, as far as is known.")),
)
ALL_BOUNCES = Kind(
    "returned",
    _("Bounces of all mailings"),
    (ADDRESS, NAME, COMPANY, Column("type", _("Type"), group="type"), REASON,
     replace(MAILING, shown=True), RETURNED, CODE, SENT),
    "returned_at",
    True,
    ("ok", _("No bounces"), _("Every e-mail arrived, as far as is known.")),
)  # fmt: skip
COMPLAINTS = Kind(
    "complaints",
    _("Spam complaints"),
    (
        ADDRESS,
        NAME,
        COMPANY,
        Column("mailing", _("Mailing"), group="mailing"),
        COMPLAINED,
        Column("sent_at", _("Sent")),
    ),
    "complained_at",
    True,
    ("ok", _("No spam complaints"), _("Nobody has reported a mailing of yours as spam.")),
)
BLOCKED = Kind(
    "blocked",
    _("Blocked addresses"),
    (ADDRESS, NAME, COMPANY, Column("cause", _("Blocked because"), group="cause"), REASON,
     Column("return_count", _("Bounces"), "number", group="return_count"), SINCE, MAILING, CODE, SENT),
    "blocked_since",
    True,
    ("ok", _("No address is blocked"), _("Addresses that cannot be reached appear here automatically.")),
    by_address=True,
)  # fmt: skip


class Rows:
    """The rows of one view, as a table shows them."""

    search = _("Name, company or address")
    search_help = SEARCH_HELP
    takes_all = True

    def __init__(self, visitor: Visitor, kind: Kind, mailing: str | None = None) -> None:
        self._visitor, self._kind, self._mailing = visitor, kind, mailing
        self.columns, self.sort, self.descending = kind.columns, kind.sort, kind.descending
        self.caption, self.empty = kind.caption, kind.empty

    def _asked(self, view: View) -> dict[str, Any]:
        """Return what a view is narrowed by, as the service calls it."""
        narrowed: dict[str, Any] = {name: value for name, value in view.filters if name in FILTERS}
        if shown := [value for value in view.chosen("show") if value in SHOWN]:
            narrowed["show"] = shown
        if self._mailing is not None:
            narrowed["mailing"] = self._mailing
        if view.search.strip():
            narrowed["q"] = view.search
        return narrowed

    async def _get(self, what: str, view: View, **parameters: Any) -> Any:
        asked = self._asked(view) | parameters
        return await self._visitor.api.get("actions", f"/v1/views/{self._kind.view}{what}", **asked)

    async def page(self, view: View, mark: str, limit: int) -> Found:
        """Return the page after a mark."""
        sort = view.sort if view.sort in {column.name for column in self.columns if column.sort} else self.sort
        told = await self._get("", view, sort=sort, descending=view.descending, cursor=mark or None, limit=limit)
        return Found(told["items"], told["next_cursor"])

    async def total(self, view: View) -> Total | None:
        """Return how many rows fit."""
        told = await self._get("/count", view)
        return Total(told["count"], told["exact"])

    async def counts(self, shown: Sequence[str]) -> dict[str, Total]:
        """Return how many rows each of these statuses has, whatever else the view is narrowed by."""
        told = await asyncio.gather(*(self._get("/count", View(filters=(("show", one),))) for one in shown))
        return {one: Total(each["count"], each["exact"]) for one, each in zip(shown, told, strict=True)}

    async def groups(self, view: View) -> Groups:
        """Return the groups of a view with their counts."""
        told = await self._get("/groups", view, by=view.group)
        made = [
            Group(one["value"], self._group_title(view.group, one["value"], one["name"]), one["count"])
            for one in told["groups"]
        ]
        return Groups(in_order(view.group, made), told["exact"])

    def _group_title(self, group: str, value: str | None, name: str | None) -> str:
        t = self._visitor.t
        if value is None:
            titles = {"company": t("No company"), "reason": t("No reason"), "name": t("No name")}
            return titles.get(group, t("Not known"))
        return _shown_value(self._visitor.texts, group, name or value)

    def identity(self, row: Mapping[str, Any]) -> str:
        """Return the id of a row: its address, and its mailing where there may be several."""
        alone = self._kind.by_address or self._mailing is not None
        return str(row["address"]) if alone else f"{row['address']} {row['mailing']}"

    def name(self, row: Mapping[str, Any]) -> str:
        """Return the address."""
        return str(row["address"])

    def cells(self, row: Mapping[str, Any]) -> Cells:
        """Return what is shown of a row."""
        texts = self._visitor.texts
        status = "blocked" if row["status"] == "ready" and row["blocked"] else row["status"]
        times = {
            name: {"text": texts.time(row[name]), "title": texts.full_time(row[name])}
            for name in ("sent_at", "returned_at", "complained_at", "blocked_since")
        }
        address: dict[str, Any] = {"text": row["address"]}
        if row["corrected_to"]:
            address["sub"] = texts.t("Corrected to {new}", new=row["corrected_to"])
        if row["blocked"] and self._kind.view != "blocked":
            address["warning"] = texts.t("This address is blocked.")
        count = row["return_count"]
        return {
            "address": address,
            "name": {"text": row["name"] or "", "sub": texts.t("Former employee") if row["former_employee"] else None},
            "company": {"text": row["company"] or ""},
            "status": _toned(texts, reasons.STATUSES, status, reasons.TONES.get(status or "", "calm")),
            "type": _toned(texts, reasons.TYPES, row["type"], "bad" if row["type"] == "hard" else "warn"),
            "reason": reason_cell(texts, row),
            "code": {"text": code_of(row)},
            "mailing": {"text": row["mailing_name"] or row["mailing"] or "", "title": row["mailing"]},
            "cause": {"text": cause_of(texts, row), "tone": "bad"} if row["cause"] else None,
            "return_count": {"text": "" if count is None else texts.number(count)},
            **times,
        }

    def describe(self, name: str, value: str) -> str:
        """Say what a filter narrows to."""
        texts, t = self._visitor.texts, self._visitor.t
        if name in ("blocked", "contact"):
            return {
                ("blocked", "true"): t("Blocked now"), ("blocked", "false"): t("Not blocked now"),
                ("contact", "true"): t("Belongs to a person"), ("contact", "false"): t("Belongs to no known person"),
            }.get((name, value), value)  # fmt: skip
        if name in ("first", "last"):
            return t("From {day}", day=texts.day(value)) if name == "first" else t("Up to {day}", day=texts.day(value))
        return _shown_value(texts, name, value)

    def narrowings(self) -> list[Narrowing]:
        """Return what the filter menu offers."""
        texts = self._visitor.texts
        named = {reason.value: reasons.title(texts, reason) for reason in Reason if reason not in reasons.NO_BOUNCE}
        yes_no = {name: {value: self.describe(name, value) for value in YES_OR_NO} for name in ("contact", "blocked")}
        found = [
            Narrowing("domain", _("Receiving domain"), "text"),
            Narrowing("first", _("From this day on"), "date"),
            Narrowing("last", _("Up to this day"), "date"),
            Narrowing("contact", _("Person"), choices=yes_no["contact"]),
        ]
        if self._kind.view == "returned":
            found.insert(0, Narrowing("type", _("Type"), choices={v: texts.t(w) for v, w in reasons.TYPES.items()}))
        if self._kind.view == "blocked":
            causes = {cause.value: reasons.word(texts, reasons.CAUSES, cause.value) for cause in BlockCause}
            found.insert(0, Narrowing("cause", _("Blocked because"), choices=causes))
        if self._kind.view != "complaints":
            found.insert(0, Narrowing("reason", _("Reason"), choices=dict(sorted(named.items(), key=lambda it: it[1]))))
        if self._kind.view != "blocked":
            found.append(Narrowing("blocked", _("Blocked"), choices=yes_no["blocked"]))
        return found

    def chosen(self, table: Table) -> dict[str, Any]:
        """Return what is ticked, as operations want it: rows, or all that the view shows."""
        if table.everything:
            return {"filter": {"view": self._kind.view} | self._asked(table.view)}
        if self._kind.by_address:
            return {"addresses": [row["address"] for row in table.ticked.values()]}
        return {"rows": [{"mailing": row["mailing"], "address": row["address"]} for row in table.ticked.values()]}


def in_order(group: str, made: Sequence[Group]) -> list[Group]:
    """Return groups in the order of their values, those without one last; the largest first where they have none.

    Names and companies keep the order of their values, which the service makes so that å comes after z.
    """
    if group not in NATURAL:
        return list(made)
    values = [one for one in made if one.value is not None]

    def place(one: Group) -> int | str:
        value = one.value or ""
        if group == "status":
            return STATUS_ORDER.index(value) if value in STATUS_ORDER else len(STATUS_ORDER)
        return int(value) if group == "return_count" else value

    return [*sorted(values, key=place, reverse=NATURAL[group]), *(one for one in made if one.value is None)]


def _toned(texts: Texts, words: dict[str, str], key: str | None, tone: str) -> dict[str, Any] | None:
    return {"text": reasons.word(texts, words, key), "tone": tone} if key else None


def _shown_value(texts: Texts, name: str, value: str) -> str:
    if name == "reason":
        return reasons.title(texts, value)
    words = {"cause": reasons.CAUSES, "type": reasons.TYPES, "status": reasons.STATUSES}.get(name)
    if words is not None:
        return reasons.word(texts, words, value)
    if name == "return_count" and value.isdecimal():
        return texts.tn("{n} bounce", "{n} bounces", int(value))
    if name == "show":
        return texts.t(SHOWN.get(value, value))
    return texts.day(value) if name == "day" else value
