"""One operation from the menu to its OK: what it needs, and of what is hard to undo what it would do.

What can be undone begins with the one OK; how far it is stands in a corner of the page, with the way to undo it.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import uuid4

from services.console.api_client import Refused, Trouble
from services.console.components.dialogs.dialog import Dialog
from services.console.components.field import Field
from services.console.components.markup import Tag, button, notice
from services.console.components.progress import After, Toast
from services.console.components.shell import Visitor
from services.console.i18n import Texts, operations as words, reasons

LISTS = {"add_to_selection": "selection", "add_to_project": "project"}
NEW_LISTS = {"copy_to_selection": "selection", "copy_to_project": "project"}
AT_ONCE = frozenset((*LISTS, *NEW_LISTS, "export"))
"""What begins without a second question: it changes no address, or is undone by one click."""
MOST_FOUND = 8
CHANGED = 409
"""What was previewed is no longer so."""
Followed = Callable[[str], None]
"""Is told the id of the operation that is followed from now on; nothing when none is any more."""


class OperationDialog:
    """The dialog of one operation over what is chosen; `after` shows anew what the operation was about."""

    def __init__(
        self,
        visitor: Visitor,
        operation: str,
        chosen: dict[str, Any],
        after: After,
        followed: Followed = lambda _: None,
        begun: Callable[[], None] = lambda: None,
        *,
        note: str = "",
        parameters: Mapping[str, Any] | None = None,
        sure: bool = False,
    ) -> None:
        """`begun` is told when the operation has been confirmed; `sure`: the visitor has said OK to it already."""
        self._visitor, self._operation, self._chosen, self._after = visitor, operation, chosen, after
        self._followed, self._begun = followed, begun
        self._parameters: dict[str, Any] = dict(parameters or {})
        self._included: set[str] = set()
        self._note, self._sure = note, sure or operation in AT_ONCE
        self._why: Field | None = None
        self._key = str(uuid4())  # asked again, it is the same operation
        self._token = ""
        self._id = ""

    async def show(self) -> None:
        """Open it: ask for what the operation needs, or show at once what it would do."""
        self._open()
        if self._operation in NEW_LISTS:
            self._ask_name()
        elif self._operation in LISTS:
            await self._ask_list()
        elif self._operation == "export":
            self._ask_format()
        else:
            await self._preview()

    def _open(self) -> None:
        self._dialog = Dialog(self._visitor, self._visitor.t(words.NAMES[self._operation]))

    def _steps(self, ok: str, act: Any, tone: str = "primary") -> None:
        self._dialog.empty_foot()
        with self._dialog.foot:
            self._dialog.cancel_button()
            self._ok = button(ok, act, tone)

    def _ask_name(self) -> None:
        t = self._visitor.t
        label = t("Name of the new selection") if "selection" in self._operation else t("Name of the new project")

        def typed(value: str) -> None:
            self._parameters = {"name": value.strip()}

        with self._dialog.body:
            Tag("p", "quiet", t(words.MEANING[self._operation]))
            self._field = Field(label, on_typed=typed, autofocus=True, maxlength=200)
        self._steps(t("OK"), self._named)

    async def _named(self) -> None:
        if not self._parameters.get("name"):
            self._field.wrong(self._visitor.t("Give it a name."))
            return
        await self._preview()

    async def _ask_list(self) -> None:
        t, kind = self._visitor.t, LISTS[self._operation]
        label = t("Search for the selection") if kind == "selection" else t("Search for the project")
        with self._dialog.body:
            Tag("p", "quiet", t(words.MEANING[self._operation]))
            self._field = Field(label, on_typed=self._find, autofocus=True).finds(self._picked)
        self._found: dict[str, str] = {}
        self._steps(t("OK"), self._listed)
        await self._find("")

    async def _find(self, text: str) -> None:
        kind = LISTS[self._operation]
        with self._dialog.body:
            try:
                found = await self._visitor.api.get("actions", f"/v1/{kind}s", q=text.strip(), limit=MOST_FOUND)
            except Trouble as trouble:
                self._field.wrong(" ".join(self._visitor.trouble(trouble)[:2]))
                return
        if self._field.value != text:  # typed on, or picked one, meanwhile
            return
        rows = found["items"]
        self._found = {row["id"]: row["name"] or row["id"] for row in rows}
        self._field.wrong("" if rows or not text else self._visitor.t("Nothing with this name."))
        self._field.offer([(row["id"], self._found[row["id"]], list_facts(self._visitor, row)) for row in rows])

    def _picked(self, identity: str) -> None:
        self._parameters = {"list": identity}
        self._field.put(self._found.get(identity, identity))
        self._field.offer([])

    async def _listed(self) -> None:
        if not self._parameters.get("list"):
            self._field.wrong(self._visitor.t("Choose one of those that were found."))
            return
        await self._preview()

    def _ask_format(self) -> None:
        visitor = self._visitor
        formats = {key: visitor.t(text) for key, text in words.FORMATS.items()}
        wanted: dict[str, Any] = {"format": "xlsx", "plain": False}

        def choose(name: str, value: Any) -> None:
            wanted[name] = value
            self._parameters = export_parameters(visitor.texts, wanted["format"], programs=wanted["plain"])

        choose("plain", False)
        with self._dialog.body:
            Tag("p", "quiet", visitor.t(words.MEANING["export"]))
            told = partial(choose, "format")
            Field(visitor.t("Format"), "select", "xlsx", choices=formats, on_typed=told, autofocus=True)
            Field(visitor.t("Reasons in words for programs"), "checkbox", False, on_typed=partial(choose, "plain"))
        self._steps(visitor.t("OK"), self._preview)

    async def _preview(self, said: str = "") -> None:
        """Have the operation frozen; begin it, or show what it would do with what is to be `said` before."""
        body = {
            "operation": self._operation, "target": self._chosen, "parameters": self._parameters, "note": self._note,
        }  # fmt: skip
        self._dialog.body.clear()
        with self._dialog.body:
            try:
                seen = await self._visitor.api.call(
                    "actions", "POST", "/v1/operations", body=body, headers={"Idempotency-Key": self._key}
                )
            except Trouble as trouble:
                self._stop(trouble)
                return
            self._id, self._token = seen["id"], seen["token"]
            if self._sure and seen["to_do"] and not said:
                await self._confirm()
                return
            if said:
                notice("calm", said)
            self._tell(seen)

    def _stop(self, trouble: Trouble) -> None:
        notice("bad", *self._visitor.trouble(trouble))
        self._dialog.empty_foot()
        with self._dialog.foot:
            self._dialog.cancel_button(self._visitor.t("Close"))

    def _tell(self, seen: dict[str, Any]) -> None:
        texts, t = self._visitor.texts, self._visitor.t
        if self._operation in words.MEANING:
            Tag("p", text=t(words.MEANING[self._operation]))
        with Tag("ul", "tally"):
            self._line(texts.t("Applies to"), texts.tn("{n} address", "{n} addresses", seen["to_do"]))
            for skipped in seen["skipped"]:
                why = t(words.SKIPPED[skipped["why"]]) if skipped["why"] in words.SKIPPED else skipped["why"]
                self._line(t("Skipped: they {why}", why=why), texts.number(skipped["rows"]))
        self._sample(seen)
        self._protected([one["why"] for one in seen["skipped"]])
        if not seen["can_be_undone"]:
            notice("warn", t("This cannot be undone."))
        danger = "danger" if self._operation == "delete_addresses" else "primary"
        self._steps(t("OK"), self._confirm, danger)
        if seen["to_do"] == 0:
            self._ok.props["disabled"] = True
            self._ok.update()

    def _protected(self, skipped: list[str]) -> None:
        """Offer to include those who asked not to be mailed; of whoever does so it is asked why."""
        t = self._visitor.t
        offered = [name for name in words.PROTECTED if name in skipped or name in self._included]
        if self._operation != "clear_bounce_flag" or not offered:
            return
        for name in offered:
            Field(t(words.PROTECTED[name]), "checkbox", name in self._included, on_typed=partial(self._include, name))
        if self._included:
            help_ = t("They asked not to be mailed. What you write is kept in their history.")
            self._why = Field(t("Why are they mailed again?"), "textarea", self._note, on_typed=self._said, help=help_)

    async def _include(self, name: str, on: bool) -> None:
        self._included = self._included | {name} if on else self._included - {name}
        if self._included:
            self._dialog.empty_foot()
            self._dialog.body.clear()
            with self._dialog.body:
                self._protected([])
            self._steps(self._visitor.t("Continue"), self._with_included)
        else:
            self._parameters, self._note = {}, ""
            await self._anew()

    def _said(self, note: str) -> None:
        self._note = note.strip()

    async def _with_included(self) -> None:
        if not self._note:
            if self._why is not None:
                self._why.wrong(self._visitor.t("Write why."))
            return
        self._parameters = {"include": sorted(self._included)}
        await self._anew()

    async def _anew(self) -> None:
        """Preview another operation in the place of this one."""
        self._key = str(uuid4())
        await self._preview()

    def _line(self, text: str, value: str) -> None:
        with Tag("li"):
            Tag("span", text=text)
            Tag("b", text=value)

    def _sample(self, seen: dict[str, Any]) -> None:
        rows = [row["address"] for row in seen["sample"] if not row.get("skipped")][:5]
        if rows:
            Tag("p", "small quiet", ", ".join(rows) + (" …" if seen["to_do"] > len(rows) else ""))

    async def _confirm(self) -> None:
        path = f"/v1/operations/{self._id}/confirm"
        self._dialog.body.clear()
        with self._dialog.body:
            try:
                await self._visitor.api.call("actions", "POST", path, body={"token": self._token})
            except Refused as refused:
                if refused.status == CHANGED:
                    await self._preview(self._visitor.t("Some of these addresses were deleted meanwhile."))
                else:
                    self._stop(refused)
                return
            except Trouble as trouble:
                self._stop(trouble)
                return
        self._dialog.close()
        self._begun()
        self._followed(self._id)
        closed = partial(self._followed, "")
        Toast(self._visitor, self._id, self._operation, self._ended, fresh=True, closed=closed)

    async def _ended(self) -> None:
        if self._operation != "export":  # by which nothing has changed, and whose file is yet to be fetched
            self._followed("")
            await self._after()


def list_facts(visitor: Visitor, row: Mapping[str, Any]) -> str:
    """Say what tells one list from another of the same name: how many are in it, and when it was made."""
    members = visitor.texts.tn("{n} person", "{n} people", row["size"] or 0)
    return f"{members} · {visitor.texts.date(row['made_at'])}"


def export_parameters(texts: Texts, format_: str, *, programs: bool) -> dict[str, Any]:
    """Return how a file is written for this language: with the words of the page, or with those that programs read."""
    found: dict[str, Any] = {
        "format": format_, "language": texts.language, "time_zone": str(texts.zone),
        "separator": ";" if texts.language == "nb" else ",", "bom": True,
    }  # fmt: skip
    if format_ == "txt":  # one address a line
        return found | {"columns": ["address"], "headings": False}
    if programs or format_ == "jsonl":
        return found
    tables = {"type": reasons.TYPES | reasons.STATUSES, "cause": reasons.CAUSES, "status": reasons.STATUSES}
    labels = {column: {word: texts.t(text) for word, text in table.items()} for column, table in tables.items()}
    labels["reason"] = {reason.value: reasons.title(texts, reason) for reason in reasons.REASONS}
    return found | {"labels": labels}
