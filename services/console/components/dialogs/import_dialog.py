"""Imports by hand: a list of suppressions, looked at before it is applied, and a file with people."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from services.console.api_client import Trouble
from services.console.components.dialogs.dialog import Dialog
from services.console.components.field import Field
from services.console.components.markup import Tag, button, notice
from services.console.components.progress import After
from services.console.components.shell import Visitor
from services.console.components.upload import Upload
from services.console.i18n import gettext_noop as _

TYPES = ".csv,.txt,.tsv,.json,.jsonl,.ndjson,text/csv,text/plain"
POLL_SECONDS = 0.5
MOST_REFUSED = 5
ACTIONS = {"block": _("Block them"), "clear": _("Clear their bounce-flags")}
KINDS = {"bounce": _("They bounced"), "complaint": _("They complained of spam"), "unsubscribe": _("They unsubscribed")}
OUTCOMES = {
    "blocked": _("Blocked"),
    "already_blocked": _("Blocked already"),
    "not_blocked": _("Not blocked"),
    "lifted": _("Bounce-flag cleared"),
    "still_blocked": _("Blocked still, by another cause"),
    "invalid": _("Not an e-mail address"),
}


class ImportDialog:
    """Imports a list of addresses; `after` shows anew what the page shows."""

    def __init__(self, visitor: Visitor, after: After) -> None:
        self._visitor, self._after = visitor, after
        t = visitor.t
        self._place = Tag("div")
        with self._place:
            self._dialog = Dialog(visitor, t("Import a list"))
        with self._dialog.body:
            self._form = Tag("div", "stack")
            self._said = Tag("div", "stack", aria_live="polite")
        with self._form:
            help_ = t("CSV, text with one address a line, or what SES, SendGrid, Mailgun or Postmark give out.")
            self._file = Upload(t("File"), help_, TYPES)
            self._action = Field(t("What to do"), "select", "block", choices={n: t(w) for n, w in ACTIONS.items()})
            kinds = {name: t(word) for name, word in KINDS.items()}
            self._kind = Field(t("Why, where the list does not say"), "select", "bounce", choices=kinds)
            self._note = Field(t("Note (kept in their history)"), maxlength=200)
        with self._dialog.foot:
            self._dialog.cancel_button()
            button(t("Preview"), partial(self._send, dry=True), "primary")

    def _send(self, *, dry: bool) -> None:
        if not self._file.name:
            self._file.wrong(self._visitor.t("Choose a file."))
            return
        self._dialog.empty_foot()
        self._said.clear()
        with self._said:
            Tag("progress", aria_label=self._visitor.t("Progress"))
        asked = {"action": self._action.value, "kind": self._kind.value, "note": str(self._note.value).strip()}
        self._file.send("blocks", self._taken, self._failed, dry_run=str(dry).lower(), **asked)

    async def _taken(self, told: dict[str, Any]) -> None:
        """Wait until each row has its outcome, then show them."""
        try:
            while not told.get("finished_at"):
                await asyncio.sleep(POLL_SECONDS)
                told = await self._visitor.api.get("blocklist", f"/v1/blocks/imports/{told['id']}")
        except Trouble as trouble:
            await self._failed(trouble)
            return
        t = self._visitor.t
        self._said.clear()
        with self._said:
            if not told["dry_run"]:
                notice("good", t("Imported."))
            outcomes(self._visitor, told["outcomes"])
        self._form.set_visibility(False)
        with self._dialog.foot:
            if told["dry_run"]:
                self._dialog.cancel_button()
                button(t("Import"), partial(self._send, dry=False), "primary")
            else:
                button(t("Undo"), partial(self._undo, told["id"]), picture="undo")
                self._dialog.cancel_button(t("Close"))
        if not told["dry_run"]:
            await self._after()

    async def _undo(self, identity: str) -> None:
        self._dialog.empty_foot()
        self._said.clear()
        try:
            told = await self._visitor.api.call("blocklist", "POST", f"/v1/blocks/imports/{identity}/undo", body={})
            while not told.get("finished_at"):
                await asyncio.sleep(POLL_SECONDS)
                told = await self._visitor.api.get("blocklist", f"/v1/jobs/{told['id']}")
        except Trouble as trouble:
            await self._failed(trouble)
            return
        with self._said:
            notice("good", self._visitor.t("Undone"))
        with self._dialog.foot:
            self._dialog.cancel_button(self._visitor.t("Close"))
        await self._after()

    async def _failed(self, trouble: Trouble) -> None:
        _failed(self._visitor, self._dialog, self._said, trouble)


class PeopleDialog:
    """Imports people from a CSV file."""

    def __init__(self, visitor: Visitor, after: After) -> None:
        self._visitor, self._after = visitor, after
        t = visitor.t
        with Tag("div"):
            self._dialog = Dialog(visitor, t("Import people"))
        with self._dialog.body:
            Tag(
                "p",
                "quiet",
                t("One line a person, with headings. Those that are known already are brought up to date."),
            )
            help_ = t("CSV with the columns id, name, company and e-mail.")
            self._file = Upload(t("File"), help_, TYPES)
            self._said = Tag("div", "stack", aria_live="polite")
        with self._dialog.foot:
            self._dialog.cancel_button()
            button(t("Import"), self._send, "primary")

    def _send(self) -> None:
        if not self._file.name:
            self._file.wrong(self._visitor.t("Choose a file."))
            return
        self._dialog.empty_foot()
        self._said.clear()
        with self._said:
            Tag("progress", aria_label=self._visitor.t("Progress"))
        self._file.send("people", self._taken, self._failed)

    async def _taken(self, told: dict[str, Any]) -> None:
        texts, t = self._visitor.texts, self._visitor.t
        self._said.clear()
        with self._said:
            notice("good", texts.tn("{n} person imported", "{n} people imported", told["imported"]))
            if told["refused"]:
                faults = [f"{t('Line {n}', n=one['line'])}: {one['problem']}" for one in told["errors"][:MOST_REFUSED]]
                refused = texts.tn("{n} line was not imported", "{n} lines were not imported", told["refused"])
                notice("warn", refused, "; ".join(faults))
        with self._dialog.foot:
            self._dialog.cancel_button(t("Close"))
        await self._after()

    async def _failed(self, trouble: Trouble) -> None:
        _failed(self._visitor, self._dialog, self._said, trouble)


def outcomes(visitor: Visitor, counts: Mapping[str, int]) -> None:
    """Show how many rows have which outcome."""
    texts = visitor.texts
    with Tag("ul", "tally"):
        for name, count in sorted(counts.items(), key=lambda pair: -pair[1]):
            with Tag("li"):
                Tag("span", text=texts.t(OUTCOMES[name]) if name in OUTCOMES else name)
                Tag("b", text=texts.number(count))
        if not counts:
            with Tag("li"):
                Tag("span", text=texts.t("The file has no rows."))


def _failed(visitor: Visitor, dialog: Dialog, said: Tag, trouble: Trouble) -> None:
    said.clear()
    with said:
        notice("bad", *visitor.trouble(trouble))
    dialog.empty_foot()
    with dialog.foot:
        dialog.cancel_button(visitor.t("Close"))
