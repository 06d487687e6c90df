"""The recipients of a mailing, and what became of each."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from services.console.pages.detail import code_of, reason_cell
from services.console.parts.shell import Visitor
from services.console.parts.table import Cells, Column, Found, Group, Table
from services.console.parts.view import View
from services.console.texts import marked as _, reasons

STATUSES = {
    "sent": ("sent", "delivered"),
    "returned": ("hard_bounced", "soft_bounced"),
    "opened": ("opened",),
    "complained": ("complained",),
    "ready": ("ready",),
    "blocked": ("blocked",),
}
"""What each filter button stands for."""


class Recipients:
    """All recipients of one mailing."""

    sort, descending, search, takes_all = "address", False, "", False
    caption = _("Recipients and what became of each")
    empty = ("people", _("Nobody here"), _("Recipients show up here as soon as results of this mailing come in."))
    columns: Sequence[Column] = (
        Column("address", _("E-mail address")),
        Column("status", _("Status"), sort=False),
        Column("reason", _("Reason"), sort=False),
        Column("time", _("Time"), sort=False),
        Column("code", _("Code"), sort=False),
    )

    def __init__(self, visitor: Visitor, mailing: str) -> None:
        self._visitor, self._mailing = visitor, mailing

    async def page(self, view: View, mark: str, limit: int) -> Found:
        """Return a page of recipients; of several kinds at once, the first of each put in order."""
        wanted: list[str | None] = [status for choice in view.chosen("status") for status in STATUSES.get(choice, ())]
        parts = await asyncio.gather(*(self._part(status, mark, limit) for status in wanted or [None]))
        rows = sorted((row for part in parts for row in part), key=lambda row: row["address"])
        return Found(rows[:limit], rows[limit - 1]["address"] if len(rows) >= limit else None)

    async def _part(self, status: str | None, mark: str, limit: int) -> list[dict[str, Any]]:
        path = f"/v1/mailings/{quote(self._mailing, safe='')}/recipients"
        found = await self._visitor.api.get("actions", path, status=status, after=mark or None, limit=limit)
        return [row | {"mailing": self._mailing} for row in found["recipients"]]

    async def groups(self, view: View) -> Sequence[Group]:
        """There are none."""
        return []

    def identity(self, row: Mapping[str, Any]) -> str:
        """Return the address."""
        return str(row["address"])

    name = identity

    def cells(self, row: Mapping[str, Any]) -> Cells:
        """Return what is shown of a recipient."""
        texts, when = self._visitor.texts, row["returned_at"] or row["delivered_at"]
        status = row["status"]
        shown: Cells = {
            "address": {"text": row["address"]},
            "status": {
                "text": reasons.word(texts, reasons.STATUSES, status),
                "tone": reasons.TONES.get(status, "calm"),
            },
            "reason": reason_cell(texts, row),
            "time": {"text": texts.time(when), "title": texts.full_time(when)},
            "code": {"text": code_of(row)},
        }
        if row["blocked"]:
            shown["address"] = {"text": row["address"], "warning": texts.t("This address is blocked.")}
        return shown

    def chosen(self, table: Table) -> dict[str, Any]:
        """Return what is ticked, as operations want it."""
        return {"rows": [{"mailing": self._mailing, "address": address} for address in table.ticked]}


class Returned(Recipients):
    """What was returned of one mailing: the tab *Manage bounces*."""

    sort, descending, takes_all = "returned_at", True, True
    caption = _("Returned e-mails")
    empty = ("ok", _("Nothing was returned"), _("Every e-mail of this mailing arrived, as far as is known."))
    columns: Sequence[Column] = (
        Column("name", _("Name"), sort=False),
        Column("address", _("E-mail address"), sort=False),
        Column("company", _("Company"), sort=False),
        Column("status", _("Status"), sort=False),
        Column("reason", _("Reason"), sort=False),
        Column("code", _("Code"), sort=False),
        Column("time", _("Returned"), sort=False),
    )

    async def page(self, view: View, mark: str, limit: int) -> Found:
        """Return a page of what was returned, newest first."""
        place = json.loads(mark) if mark else {}
        found = await self._visitor.api.get("actions", "/v1/returns", mailing=self._mailing, limit=limit, **place)
        return Found(found["returns"], json.dumps(found["next"]) if found["next"] else None)

    def cells(self, row: Mapping[str, Any]) -> Cells:
        """Return what is shown, with whose address it is."""
        known = {"delivered_at": None} | dict(row)
        return super().cells(known) | {"name": {"text": row["name"] or ""}, "company": {"text": row["company"] or ""}}

    def chosen(self, table: Table) -> dict[str, Any]:
        """Return what is ticked; all of them are all that was returned in the mailing."""
        return {"returned_in": self._mailing} if table.everything else super().chosen(table)
