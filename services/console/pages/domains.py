"""Whole domains that mailings skip: blocked, looked up and lifted, each with its reason."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from returpost.contracts.domains import normalise_pattern
from returpost.errors import ReturpostError
from services.console.api_client import Trouble
from services.console.components.dialogs.dialog import Dialog
from services.console.components.dialogs.end_date import EndDate
from services.console.components.field import Field
from services.console.components.markup import Tag, button, empty, notice, plain_table as table
from services.console.components.shell import Visitor

PATH = "/v1/domain-blocks"
PAGE = 100
MOST = 1_000
"""Domains at once."""
MOST_NAMED = 3
"""Faults that are named."""


def domains_in(text: str) -> tuple[list[str], list[str]]:
    """Return the domains and patterns of a text, each once, and what stands there that is none.

    They may be separated by lines, commas, semicolons or spaces; of an address it is the domain.
    """
    found: dict[str, None] = {}
    wrong = []
    for written in text.replace(",", " ").replace(";", " ").split():
        try:
            found.setdefault(normalise_pattern(written.rpartition("@")[2]))
        except (ReturpostError, ValueError):
            wrong.append(written)
    return list(found), wrong


class Domains:
    """The page, of which the parts are drawn anew after a change."""

    def __init__(self, visitor: Visitor, head: Tag) -> None:
        self._visitor = visitor
        t = visitor.t
        if visitor.may("write"):
            with head, Tag("div", "row"):
                button(t("Block domains"), self._ask, picture="block")
        with Tag("div", "row ask"):
            self._asked = Field(t("Domain or address"), autocomplete="off", autocapitalize="none", spellcheck="false")
            self._asked.on("keyup.enter", self._look)
            button(t("Look up"), self._look)
        self._said = Tag("div", "stack", aria_live="polite")
        self._list = Tag("div", "stack")
        self._dialogs = Tag("div")

    async def show(self) -> None:
        """Draw the blocks in force."""
        self._list.clear()
        with self._list, self._visitor.guarding():
            found = await self._page(None)
            if not found["items"]:
                t = self._visitor.t
                empty("ok", t("No domain is blocked"), t("Block one when all its addresses are to be skipped."))
                return
            with self._table() as rows:
                self._rows(found)
            self._more(rows, found["next_cursor"])

    async def _page(self, cursor: str | None) -> dict[str, Any]:
        found: dict[str, Any] = await self._visitor.api.get("blocklist", PATH, cursor=cursor, limit=PAGE)
        return found

    def _table(self) -> Tag:
        t = self._visitor.t
        last = [""] if self._visitor.may("write") else []
        return table(t("Domain"), t("Since"), t("Until"), t("By"), t("Why"), *last, label=t("Blocked domains"))

    def _rows(self, found: Mapping[str, Any]) -> None:
        t, texts = self._visitor.t, self._visitor.texts
        for block in found["items"]:
            with Tag("tr"):
                Tag("td", "first", block["domain"])
                Tag("td", text=texts.time(block["since"]))
                Tag("td", text=texts.time(block["until"]) or t("until it is lifted"))
                Tag("td", text=block["by"])
                Tag("td", "wraps", block["note"])
                if self._visitor.may("write"):
                    with Tag("td"):
                        label = t("Lift the block of {domain}", domain=block["domain"])
                        button(t("Lift"), partial(self._ask_lift, block["domain"]), aria_label=label)

    def _more(self, rows: Tag, cursor: str | None) -> None:
        if cursor is None:
            return

        async def more() -> None:
            with rows, self._visitor.guarding():
                found = await self._page(cursor)
                self._rows(found)
            shown.delete()
            with self._list:
                self._more(rows, found["next_cursor"])

        shown = button(self._visitor.t("Show more"), more).style("justify-self: start")

    async def _look(self) -> None:
        """Say whether the addresses of a domain are skipped, and what became of its blocks."""
        t = self._visitor.t
        found, wrong = domains_in(str(self._asked.value))
        self._asked.wrong("" if found and not wrong else t("Enter a domain, such as example.com."))
        self._said.clear()
        if not found or wrong:
            return
        with self._said, self._visitor.guarding():
            told = await self._visitor.api.get("blocklist", f"{PATH}/{quote(found[0], safe='*')}")
            self._tell(told)

    def _tell(self, told: Mapping[str, Any]) -> None:
        t, texts, domain = self._visitor.t, self._visitor.texts, told["domain"]
        if not told["blocked"]:
            notice(
                "good", t("{domain} is not blocked.", domain=domain), t("Single addresses may be blocked all the same.")
            )
        elif told["pattern"] == domain:
            notice("calm", t("{domain} is blocked.", domain=domain), told["note"])
        else:
            notice("calm", t("{domain} is blocked by {pattern}.", domain=domain, pattern=told["pattern"]), told["note"])
        if not told["history"]:
            return
        titles = (t("Domain"), t("Since"), t("By"), t("Why"), t("Lifted"), t("By"), t("Why"))
        with table(*titles, label=t("History of {domain}", domain=domain)):
            for past in told["history"]:
                with Tag("tr"):
                    Tag("td", "first", past["domain"])
                    Tag("td", text=texts.time(past["since"]))
                    Tag("td", text=past["by"])
                    Tag("td", "wraps", past["note"])
                    Tag("td", text=texts.time(past["lifted_at"]))
                    expired = past["lift_cause"] == "expired"
                    Tag("td", text=t("Ended automatically") if expired else past["lifted_by"] or "")
                    Tag("td", "wraps", "" if expired else past["lift_note"] or "")

    def _ask(self) -> None:
        visitor, t = self._visitor, self._visitor.t
        with self._dialogs:
            dialog = Dialog(visitor, t("Block domains"))
        with dialog.body:
            Tag("p", "quiet", t("All their addresses are skipped in every mailing until that is lifted."))
            help_ = t("One a line. example.com is that domain; *.example.com is all its subdomains, and not itself.")
            domains = Field(t("Domains"), "textarea", str(self._asked.value), help=help_, autofocus=True)
            note = Field(t("Why (kept in the history)"), maxlength=1000)
            end = EndDate(visitor)

        async def block() -> None:
            found, wrong = domains_in(str(domains.value))
            named = ", ".join(wrong[:MOST_NAMED]) + (" …" if len(wrong) > MOST_NAMED else "")
            why = str(note.value).strip()
            said = t("Not a domain: {what}", what=named) if wrong else "" if found else t("Enter a domain.")
            if len(found) > MOST:
                said = t("{n} at most.", n=visitor.texts.number(MOST))
            domains.wrong(said)
            note.wrong("" if why else t("Say why."))
            try:
                until = end.moment()
            except ValueError:
                return
            if not said and why:
                body = {"domains": found, "note": why, "until": until}
                done = visitor.texts.tn("{n} domain is blocked", "{n} domains are blocked", len(found))
                await self._send(dialog, "", body, done)

        with dialog.foot:
            dialog.cancel_button()
            button(t("Block"), block, "primary")

    def _ask_lift(self, domain: str) -> None:
        visitor, t = self._visitor, self._visitor.t
        with self._dialogs:
            dialog = Dialog(visitor, t("Lift the block of {domain}", domain=domain))
        with dialog.body:
            Tag("p", "quiet", t("Its addresses are in mailings again, unless they are blocked by themselves."))
            note = Field(t("Why (kept in the history)"), autofocus=True, maxlength=1000)

        async def lift() -> None:
            why = str(note.value).strip()
            note.wrong("" if why else t("Say why."))
            if why:
                done = t("The block of {domain} is lifted", domain=domain)
                await self._send(dialog, "/lift", {"domains": [domain], "note": why}, done)

        with dialog.foot:
            dialog.cancel_button()
            button(t("Lift"), lift, "primary")

    async def _send(self, dialog: Dialog, path: str, body: Any, done: str) -> None:
        try:
            await self._visitor.api.call("blocklist", "POST", PATH + path, body=body)
        except Trouble as trouble:
            with dialog.body:
                notice("bad", *self._visitor.trouble(trouble))
            return
        dialog.close()
        self._said.clear()
        with self._said:
            notice("good", done)
        await self.show()
