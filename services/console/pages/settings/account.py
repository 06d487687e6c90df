"""The visitor's own sign-in: the second factor, set up with an app and removed."""

from typing import Any

import segno

from services.console.api_client import Trouble
from services.console.components.dialogs.dialog import Dialog
from services.console.components.field import Field
from services.console.components.markup import Tag, button, notice
from services.console.components.shell import Pages, Visitor, heading
from services.console.i18n import gettext_noop as _

PATH = "/v1/me/second-factor"
CODE: dict[str, Any] = {
    "autocomplete": "one-time-code",
    "autocapitalize": "none",
    "spellcheck": "false",
    "maxlength": 100,
}
QR_SCALE = 4


def add(pages: Pages) -> None:
    """Serve the page."""
    pages.add("/account", _("Your sign-in"), account)


async def account(visitor: Visitor) -> None:
    """Draw the page."""
    t = visitor.t
    heading(t("Your sign-in"), t("A second factor: besides the password, a code that an app on your phone shows."))
    with Tag("div", "cards"), Tag("section", "card stack"):
        Tag("h2", text=t("Second factor"))
        await _SecondFactor(visitor).show()


class _SecondFactor:
    """The section, which is drawn anew after a change."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._place = Tag("div", "stack")
        self._dialogs = Tag("div")

    async def show(self) -> None:
        """Draw it."""
        t, texts = self._visitor.t, self._visitor.texts
        self._place.clear()
        with self._place, self._visitor.guarding():
            found = await self._visitor.api.get("actions", PATH)
            if found["enabled"]:
                left = texts.tn("{n} recovery code left", "{n} recovery codes left", found["recovery_codes"])
                notice("good", t("In use since {day}", day=texts.date(found["confirmed_at"])), left)
                button(t("Remove the second factor"), self._ask_remove).style("justify-self: start")
            else:
                Tag("p", "quiet", t("Not in use: whoever knows your password can sign in."))
                button(t("Set up"), self._ask_password, "primary").style("justify-self: start")

    def _ask_password(self) -> None:
        t = self._visitor.t
        with self._dialogs:
            dialog = Dialog(self._visitor, t("Set up the second factor"))
        with dialog.body:
            password = Field(t("Password"), "password", autofocus=True, autocomplete="current-password")

        async def begin() -> None:
            told = await self._send(dialog, password, "", {"password": password.value})
            if told is not None:
                self._ask_code(dialog, told)

        with dialog.foot:
            dialog.cancel_button()
            button(t("Next"), begin, "primary")

    def _ask_code(self, dialog: Dialog, told: dict[str, Any]) -> None:
        t = self._visitor.t
        dialog.body.clear()
        dialog.empty_foot()
        with dialog.body:
            Tag("p", text=t("Scan this with an app such as Aegis, 2FAS or Google Authenticator, or type the secret."))
            picture = segno.make(told["uri"]).svg_data_uri(scale=QR_SCALE, light="white")
            Tag("img", "qr", src=picture, alt=t("QR code of the secret"))
            Tag("pre", "message", told["secret"], tabindex="0")
            code = Field(t("The code that the app shows"), autofocus=True, **CODE)

        async def confirm() -> None:
            made = await self._send(dialog, code, "/confirm", {"code": code.value})
            if made is not None:
                self._show_codes(dialog, made["recovery_codes"])
                await self.show()

        with dialog.foot:
            dialog.cancel_button()
            button(t("Confirm"), confirm, "primary")

    def _show_codes(self, dialog: Dialog, codes: list[str]) -> None:
        t = self._visitor.t
        dialog.body.clear()
        dialog.empty_foot()
        with dialog.body:
            notice("warn", t("Keep these codes where you find them without your phone. They are not shown again."))
            Tag("p", "quiet", t("Each signs you in once in the place of the app's code."))
            Tag("pre", "message", "\n".join(codes), tabindex="0")
        with dialog.foot:
            dialog.cancel_button(t("Close"))

    def _ask_remove(self) -> None:
        t = self._visitor.t
        with self._dialogs:
            dialog = Dialog(self._visitor, t("Remove the second factor"))
        with dialog.body:
            password = Field(t("Password"), "password", autofocus=True, autocomplete="current-password")
            code = Field(t("Code"), help=t("The six digits of your app, or a recovery code."), **CODE)

        async def remove() -> None:
            body = {"password": password.value, "code": code.value}
            if await self._send(dialog, code, "/remove", body) is not None:
                dialog.close()
                await self.show()

        with dialog.foot:
            dialog.cancel_button()
            button(t("Remove"), remove, "primary")

    async def _send(self, dialog: Dialog, field: Field, path: str, body: Any) -> dict[str, Any] | None:
        """Return the answer; nothing when it was refused, which is said at the field."""
        t = self._visitor.t
        field.wrong("")
        try:
            return await self._visitor.api.call("actions", "POST", PATH + path, body=body) or {}
        except Trouble as trouble:
            status, title = getattr(trouble, "status", 0), getattr(trouble, "title", "")
            if status == 403:
                wrong = (
                    t("The password is wrong.")
                    if title.startswith("password")
                    else t("The code is wrong, or was used before.")
                )
                field.wrong(wrong)
            elif status == 429:
                field.wrong(t("Too many tries. Wait a while, then try again."))
            else:
                with dialog.body:
                    notice("bad", *self._visitor.trouble(trouble))
            return None
