"""Saved views of a page: filters, sorting, groups and columns under a name, for oneself or for the tenant."""

from contextlib import suppress
from functools import partial
from typing import Any

from services.console.api_client import Trouble
from services.console.components.dialogs.dialog import Dialog
from services.console.components.field import Field
from services.console.components.markup import Tag, button, icon, link, notice
from services.console.components.shell import Visitor
from services.console.components.tables.table import Table

PATH = "/v1/saved-views"


class SavedViews:
    """The menu of the views above a table; `show` fills it."""

    def __init__(self, visitor: Visitor, table: Table) -> None:
        self._visitor, self._table = visitor, table
        with table.filters, Tag("details", "menu views-menu"):
            with Tag("summary"):
                icon("list")
                Tag("span", text=visitor.t("Views"))
            self._list = Tag("div", "menu-box menu-list")
        self._dialogs = Tag("div")

    async def show(self) -> None:
        """Draw the views that there are."""
        t, api = self._visitor.t, self._visitor.api
        items: list[dict[str, Any]] | None = None
        with suppress(Trouble):  # the table beside says what is away
            items = (await api.get("actions", PATH, page=self._visitor.path))["items"]
        self._list.clear()
        with self._list:
            for item in items or []:
                self._item(item)
            if not items:
                Tag("p", "quiet", t("Temporarily unavailable") if items is None else t("No saved views yet."))
            if self._visitor.may("write"):
                Tag("div", "menu-line")
                with Tag("button", "menu-item", type="button") as save:
                    icon("flag")
                    Tag("span", text=t("Save this view"))
                save.on("click", self._save)

    def _item(self, item: dict[str, Any]) -> None:
        t = self._visitor.t
        target = f"{self._visitor.path}?{item['query']}" if item["query"] else self._visitor.path
        with Tag("div", "view-line"):
            link(item["name"], target, "menu-item")
            if item["shared"]:
                Tag("span", "badge calm", t("Shared"), title=t("By {who}", who=item["owner"]))
            if item["owner"] == self._visitor.name or (item["shared"] and self._visitor.may("administer")):
                if not self._visitor.may("write"):
                    return
                label = t("Delete {name}", name=item["name"])
                with Tag("button", "button plain", type="button", aria_label=label, title=label) as gone:
                    icon("trash")
                gone.on("click", partial(self._delete, item["id"]))

    async def _delete(self, identity: str) -> None:
        with self._dialogs, self._visitor.guarding():
            await self._visitor.api.call("actions", "DELETE", f"{PATH}/{identity}")
        await self.show()

    def _save(self) -> None:
        t, visitor = self._visitor.t, self._visitor
        with self._dialogs:
            dialog = Dialog(visitor, t("Save this view"))
        with dialog.body:
            Tag("p", "quiet", t("Filters, sorting, groups and columns. The address of the page is a link to it too."))
            name = Field(t("Name"), autofocus=True, maxlength=100)
            shared = Field(t("Share with everybody at this customer"), "checkbox", False)

        async def save() -> None:
            if not str(name.value).strip():
                name.wrong(t("Give it a name."))
                return
            body = {
                "page": visitor.path, "name": str(name.value).strip(), "query": self._table.query(),
                "shared": bool(shared.value),
            }  # fmt: skip
            try:
                await visitor.api.call("actions", "POST", PATH, body=body)
            except Trouble as trouble:
                with dialog.body:
                    notice("bad", *visitor.trouble(trouble))
                return
            dialog.close()
            await self.show()

        with dialog.foot:
            dialog.cancel_button()
            button(t("Save"), save, "primary")
