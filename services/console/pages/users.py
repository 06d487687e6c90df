"""Users and tokens: who may sign in, which systems may call the APIs. For administrators."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from services.console.api_client import Trouble
from services.console.components.dialogs.dialog import Dialog
from services.console.components.field import Field
from services.console.components.markup import Tag, button, notice, plain_table as table
from services.console.components.shell import Pages, Visitor, heading
from services.console.i18n import gettext_noop as _, reasons

SCOPES = {
    "send": _("Submit delivery results"),
    "check": _("Ask whom to skip"),
    "read": _("Read"),
    "write": _("Change addresses and people"),
}
SCOPE_WORDS = {
    "send": _("submit"),
    "check": _("check"),
    "read": _("read"),
    "write": _("change"),
    "operate": _("operate"),
    "administer": _("administer"),
}
"""The same in a word each, for the table."""
MIN_PASSWORD = 12
MOST = 1_000
"""Users, or tokens, that are shown."""
DAYS = {"30": _("30 days"), "90": _("90 days"), "365": _("A year")}


def add(pages: Pages) -> None:
    """Serve the page."""
    pages.add("/users", _("Users and tokens"), users, "administer")


async def users(visitor: Visitor) -> None:
    """Draw the page."""
    t = visitor.t
    heading(t("Users and tokens"), t("People sign in; systems use a token. Both can be revoked at once."))
    with Tag("div", "cards"):
        with Tag("section", "card"):
            Tag("h2", text=t("Users"))
            await Part(visitor, _users).show()
        with Tag("section", "card"):
            Tag("h2", text=t("Tokens and sessions"))
            await Part(visitor, _tokens).show()


class Part:
    """A part of the page that is drawn anew after a change."""

    def __init__(self, visitor: Visitor, draw: Callable[["Part"], Awaitable[None]]) -> None:
        self.visitor, self._draw = visitor, draw
        self.place = Tag("div", "stack")

    async def show(self) -> None:
        """Draw it."""
        self.place.clear()
        with self.place, self.visitor.guarding():
            await self._draw(self)

    async def change(self, method: str, path: str, body: Any = None, **parameters: Any) -> Any:
        """Ask for a change, then draw anew; returns the answer, or nothing when it was refused."""
        try:
            told = await self.visitor.api.call("actions", method, path, body=body, **parameters)
        except Trouble as trouble:
            with self.place:
                notice("bad", *self.visitor.trouble(trouble))
            return None
        await self.show()
        return told or {}


async def _users(part: Part) -> None:
    t, texts = part.visitor.t, part.visitor.texts
    tenant = None if part.visitor.all_tenants else part.visitor.api.tenant
    with table(t("Name"), t("Role"), t("Customer"), t("Since"), "", label=t("Users")):
        found = await part.visitor.api.get("actions", "/v1/users", tenant=tenant, limit=MOST)
        for user in found["items"]:
            path = f"/v1/users/{quote(user['name'], safe='')}"
            with Tag("tr"):
                with Tag("td", "first"):
                    Tag("span", text=user["name"])
                    if user["has_second_factor"]:
                        Tag("span", "badge calm", t("Second factor"))
                Tag("td", text=reasons.word(texts, reasons.ROLES, user["role"]).partition(":")[0])
                Tag("td", text=t("all") if user["tenant"] == "*" else user["tenant"])
                Tag("td", text=texts.date(user["created_at"]))
                with Tag("td"), Tag("div", "row"):
                    if user["name"] == part.visitor.name:
                        Tag("span", "badge calm", t("You"))
                        continue
                    label = t("Edit {name}", name=user["name"])
                    button(t("Edit"), partial(_change_user, part, user, path, tenant), aria_label=label)
                    off = user["disabled"]
                    act = partial(part.change, "PATCH", path, {"disabled": not off}, tenant=tenant)
                    button(t("Enable") if off else t("Disable"), act)
    button(t("New user"), partial(_new_user, part), "primary").style("justify-self: start")


def _change_user(part: Part, user: Mapping[str, Any], path: str, tenant: str | None) -> None:
    """The dialog that changes the role of a user, and resets the password."""
    visitor, t = part.visitor, part.visitor.t
    with part.place:
        dialog = Dialog(visitor, t("Edit {name}", name=user["name"]))
    roles = {role: reasons.word(visitor.texts, reasons.ROLES, role) for role in reasons.ROLES}
    with dialog.body:
        role = Field(t("Role"), "select", user["role"], choices=roles, autofocus=True)
        help_ = t("12 characters or more. Empty: it stays as it is.")
        password = Field(t("New password"), "password", help=help_, autocomplete="new-password")
        Tag("p", "quiet small", t("Open sessions of this user end at once."))
        reset = None
        if user["has_second_factor"]:
            help_ = t("For a user who has lost the app and the recovery codes.")
            reset = Field(t("Reset the second factor"), "checkbox", False)
            Tag("p", "quiet small", help_)

    async def save() -> None:
        if password.value and len(password.value) < MIN_PASSWORD:
            password.wrong(t("12 characters or more."))
            return
        body = {"role": role.value} if role.value != user["role"] else {}
        body |= {"password": password.value} if password.value else {}
        try:
            if body:
                await visitor.api.call("actions", "PATCH", path, body=body, tenant=tenant)
            if reset is not None and reset.value:
                await visitor.api.call("actions", "DELETE", f"{path}/second-factor", tenant=tenant)
        except Trouble as trouble:
            with dialog.body:
                notice("bad", *visitor.trouble(trouble))
            return
        dialog.close()
        await part.show()

    with dialog.foot:
        dialog.cancel_button()
        button(t("Save"), save, "primary")


def _new_user(part: Part) -> None:
    visitor, t = part.visitor, part.visitor.t
    with part.place:
        dialog = Dialog(visitor, t("New user"))
    roles = {role: reasons.word(visitor.texts, reasons.ROLES, role) for role in reasons.ROLES}
    with dialog.body:
        name = Field(t("User name"), autofocus=True, autocomplete="off", autocapitalize="none")
        help_ = t("12 characters or more. Empty: signs in at the provider only.")
        password = Field(t("Password"), "password", help=help_, autocomplete="new-password")
        role = Field(t("Role"), "select", "marketer", choices=roles)

    async def save() -> None:
        body = {"name": name.value, "password": password.value or None, "role": role.value}
        try:
            await visitor.api.call("actions", "POST", "/v1/users", body=body)
        except Trouble as trouble:
            with dialog.body:
                notice("bad", *visitor.trouble(trouble))
            return
        dialog.close()
        await part.show()

    with dialog.foot:
        dialog.cancel_button()
        button(t("OK"), save, "primary")


async def _tokens(part: Part) -> None:
    t, texts = part.visitor.t, part.visitor.texts
    kinds = {"session": t("Session"), "token": t("Token")}
    with table(t("Name"), t("Kind"), t("May"), t("Created by"), t("Expires"), "", label=t("Tokens and sessions")):
        found = await part.visitor.api.get("actions", "/v1/tokens", limit=MOST)
        for token in found["items"]:
            with Tag("tr"):
                Tag("td", "first", token["name"])
                Tag("td", text=kinds[token["kind"]])
                Tag("td", text=", ".join(t(SCOPE_WORDS.get(scope, scope)) for scope in token["scopes"]))
                Tag("td", text=token["issued_by"])
                Tag("td", text=texts.time(token["expires_at"]))
                with Tag("td"):
                    button(t("Revoke"), partial(part.change, "DELETE", f"/v1/tokens/{token['id']}"))
    button(t("New token"), partial(_new_token, part), "primary").style("justify-self: start")


def _new_token(part: Part) -> None:
    visitor, t = part.visitor, part.visitor.t
    with part.place:
        dialog = Dialog(visitor, t("New token"))
    with dialog.body:
        name = Field(t("Which system"), autofocus=True)
        boxes = {scope: Field(t(text), "checkbox", False) for scope, text in SCOPES.items()}
        days = Field(t("Valid for"), "select", "90", choices={key: t(text) for key, text in DAYS.items()})

    async def make() -> None:
        scopes = [scope for scope, box in boxes.items() if box.value]
        body = {"name": name.value, "scopes": scopes, "days": int(days.value)}
        try:
            told = await visitor.api.call("actions", "POST", "/v1/tokens", body=body)
        except Trouble as trouble:
            with dialog.body:
                notice("bad", *visitor.trouble(trouble))
            return
        dialog.body.clear()
        with dialog.body:
            notice("warn", t("Copy it now: it is not shown again."))
            Tag("pre", "message", told["token"], tabindex="0")
        dialog.empty_foot()
        with dialog.foot:
            dialog.cancel_button(t("Close"))
        await part.show()

    with dialog.foot:
        dialog.cancel_button()
        button(t("OK"), make, "primary")
