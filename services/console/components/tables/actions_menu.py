"""The Actions button under a table: what can be done with what is ticked."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from services.console.api_client import Trouble
from services.console.components.dialogs.operation_dialog import OperationDialog
from services.console.components.markup import Tag, button, icon
from services.console.components.progress import Toast
from services.console.components.shell import Visitor
from services.console.components.tables.table import Table
from services.console.i18n import operations as words

ORDER: Sequence[str | None] = (
    "export", None, "copy_to_selection", "add_to_selection", "copy_to_project", "add_to_project", None,
    "clear_bounce_flag", "block", "set_former_employee", "set_back_former_employee", None, "delete_addresses",
)  # fmt: skip
QUICK = ("export", "copy_to_selection", "clear_bounce_flag")
"""What is done most: buttons beside what is selected."""
Choose = Callable[[Table], dict[str, Any]]


class ActionsMenu:
    """The button and its menu; without rights, or with nothing ticked, it says why it does nothing."""

    def __init__(self, visitor: Visitor, table: Table, chosen: Choose) -> None:
        self._visitor, self._table, self._chosen = visitor, table, chosen
        with table.actions:
            self._menu = Tag("details", "menu primary")
        with self._menu:
            with Tag("summary"):
                icon("bolt")
                Tag("span", text=visitor.t("Actions"))
            self._list = Tag("div", "menu-box menu-list")
        self._dialogs = Tag("div")
        """Outside the menu, which closes."""
        with table.quick:
            for name in QUICK:
                button(visitor.t(words.NAMES[name]), partial(self._begin, name), "small-button", words.PICTURES[name])
        self._shown: bool | None = None
        table.listeners.append(self.refresh)

    def refresh(self) -> None:
        """Show what can be done with what is ticked now."""
        ready = self._table.how_many > 0 and self._visitor.may("write")
        if ready is self._shown:
            return
        self._shown = ready
        self._menu.props["data-off"] = None if ready else ""
        self._menu.update()
        self._list.clear()
        with self._list:
            if not ready:
                Tag("p", "quiet", self._why_not())
                return
            for name in ORDER:
                if name is None:
                    Tag("div", "menu-line")
                else:
                    self._item(name)

    def _item(self, name: str) -> None:
        danger = "danger" if name == "delete_addresses" else ""
        with Tag("button", f"menu-item {danger}", type="button") as item:
            icon(words.PICTURES[name])
            Tag("span", text=self._visitor.t(words.NAMES[name]))
        item.on("click", partial(self._begin, name))

    async def _begin(self, name: str) -> None:
        with self._dialogs:
            await self._dialog(name, self._chosen(self._table)).show()

    def _dialog(self, name: str, chosen: dict[str, Any]) -> OperationDialog:
        return OperationDialog(self._visitor, name, chosen, self._anew, self._table.follow, self._begun)

    def _begun(self) -> None:
        self._table.untick()
        self.refresh()

    async def resume(self) -> None:
        """Follow again the operation that the page's address tells of, if it is there."""
        identity = self._table.view.followed
        if not identity:
            return
        try:
            known = await self._visitor.api.get("actions", f"/v1/operations/{quote(identity, safe='')}")
        except Trouble:
            self._table.follow("")
            return
        closed = partial(self._table.follow, "")
        Toast(self._visitor, identity, known["operation"], self._anew, fresh=False, closed=closed)

    async def _anew(self) -> None:
        await self._table.load()
        await self._table.tell()

    def _why_not(self) -> str:
        if not self._visitor.may("write"):
            return self._visitor.t("You may look, but not change. An administrator can give you the right.")
        return self._visitor.t("Select addresses first.")
