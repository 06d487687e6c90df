"""An e-mail address that is edited: checked while it is typed, with what was probably meant."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from services.console.api_client import Away, Refused, Trouble
from services.console.components.field import Field
from services.console.components.markup import Tag, button, notice
from services.console.components.shell import Visitor
from services.console.i18n import gettext_noop as _

Save = Callable[[str, str], Awaitable[None]]
Leave = Callable[[], Awaitable[None]]

PROBLEMS = {
    "syntax": _("This is not an e-mail address."),
    "domain_unknown": _("The domain does not exist."),
    "no_mail_host": _("The domain does not accept e-mail."),
    "not_accepting": _("The domain does not accept e-mail."),
}


class AddressEditor:
    """The field with its Save and Cancel, in the place of the address."""

    def __init__(self, visitor: Visitor, old: str, save: Save, leave: Leave) -> None:
        self._visitor, self._old, self._save, self._leave = visitor, old, save, leave
        with Tag("div", "grow stack"):
            label = visitor.t("E-mail address")
            self._field = Field(label, "email", old, on_typed=self._check, autofocus=True, autocomplete="off")
            self._said = Tag("div", aria_live="polite")
            with Tag("div", "row"):
                button(visitor.t("Save"), self._done, "primary")
                button(visitor.t("Cancel"), leave)

    async def _check(self, value: str) -> bool:
        """Say what the check of new addresses makes of it; return whether it may be saved."""
        t = self._visitor.t
        self._said.clear()
        written = value.strip()
        if not written:
            self._field.wrong(t("Enter an address."))
            return False
        with self._said:
            try:
                told = await self._visitor.api.call("ingest", "POST", "/v1/validate", body={"addresses": [written]})
            except Away:
                self._field.wrong("")
                notice("calm", t("It cannot be checked just now. You can save it all the same."))
                return True
            except Trouble as trouble:
                self._field.wrong(trouble.title if isinstance(trouble, Refused) else str(trouble))
                return False
            return self._judge(told["results"][0])

    def _judge(self, told: dict[str, Any]) -> bool:
        t = self._visitor.t
        good = told.get("validity") != "invalid"
        known = PROBLEMS.get(str(told.get("reason") or ""))
        self._field.wrong("" if good else t(known) if known else t("E-mail cannot be sent to this address."))
        meant = told.get("suggestion")
        if meant:
            with Tag("p"):
                Tag("span", text=t("Did you mean") + " ")
                Tag("button", "link", str(meant), type="button").on("click", partial(self._take, str(meant)))
                Tag("span", text="?")
        elif told.get("validity") == "valid":
            Tag("span", "badge good", t("Looks right"))
        return good

    async def _take(self, meant: str) -> None:
        self._field.put(meant)
        await self._check(meant)

    async def _done(self) -> None:
        new = str(self._field.value).strip()
        if new == self._old:
            await self._leave()
            return
        if not await self._check(new):
            return
        with self._said:
            try:
                await self._save(self._old, new)
            except Trouble as trouble:
                notice("bad", *self._visitor.trouble(trouble))
