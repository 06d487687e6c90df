"""An e-mail address that is edited: checked while it is typed, with what was probably meant and what is known of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from services.console.api_client import Away, Refused, Trouble
from services.console.components.correction import correct
from services.console.components.field import Field
from services.console.components.markup import Tag, button, notice
from services.console.components.shell import Visitor
from services.console.i18n import gettext_noop as _, reasons

Saved = Callable[[str, str], Awaitable[None]]
"""Is told the new address and the id of the operation."""
Leave = Callable[[], Awaitable[None]]

PROBLEMS = {
    "syntax": _("This is not an e-mail address."),
    "domain_unknown": _("The domain does not exist."),
    "no_mail_host": _("The domain does not accept e-mail."),
    "not_accepting": _("The domain does not accept e-mail."),
}


class AddressEditor:
    """The field with its buttons: Save, where there is a next one Save and next, and Cancel where it can be left."""

    def __init__(
        self,
        visitor: Visitor,
        old: str,
        contact: str | None,
        saved: Saved,
        *,
        leave: Leave | None = None,
        following: Leave | None = None,
    ) -> None:
        self._visitor, self._old, self._contact = visitor, old, contact
        self._saved, self._leave, self._following = saved, leave, following
        self._checks = 0
        """How many were asked for: what an earlier one finds is no longer wanted."""
        t = visitor.t
        with Tag("div", "grow stack editor"):
            autofocus = leave is not None
            self._field = Field(
                t("E-mail address"), "email", old, on_typed=self._check, autofocus=autofocus, autocomplete="off"
            )
            self._said = Tag("div", "stack tight", aria_live="polite")
            with Tag("div", "row"):
                button(t("Save"), partial(self._done, None), "primary")
                if following is not None:
                    button(t("Save and next"), partial(self._done, following))
                if leave is not None:
                    button(t("Cancel"), leave)

    async def suggest(self) -> None:
        """Say what was probably meant by the address as it is."""
        try:
            told = await self._validated(self._old)
        except Trouble:
            return
        if told.get("suggestion") and not self._said.is_deleted and self._field.value == self._old:
            with self._said:
                self._meant(str(told["suggestion"]))

    async def _validated(self, written: str) -> dict[str, Any]:
        told = await self._visitor.api.call("ingest", "POST", "/v1/validate", body={"addresses": [written]})
        return dict(told["results"][0])

    async def _check(self, value: str) -> tuple[bool, list[str]]:
        """Say what is to be known of it; return whether it may be saved, and what speaks against that."""
        t, written = self._visitor.t, value.strip()
        self._checks += 1
        mine = self._checks
        if not written:
            self._said.clear()
            self._field.wrong(t("Enter an address."))
            return False, []
        place = quote(written, safe="@")
        told, known = await asyncio.gather(
            self._validated(written),
            self._visitor.api.get("actions", f"/v1/addresses/{place}"),
            return_exceptions=True,
        )
        if mine != self._checks or self._said.is_deleted:  # another one was asked for meanwhile
            return False, []
        self._said.clear()
        with self._said:
            good = self._judge(told)
            against = self._known(known) if good and isinstance(known, Mapping) and written != self._old else []
            for text in against:
                notice("warn", text)
        return good, against

    def _judge(self, told: dict[str, Any] | BaseException) -> bool:
        t = self._visitor.t
        if isinstance(told, Away):
            self._field.wrong("")
            notice("calm", t("It cannot be checked just now. You can save it all the same."))
            return True
        if isinstance(told, BaseException):
            self._field.wrong(told.title if isinstance(told, Refused) else str(told))
            return False
        good = told.get("validity") != "invalid"
        problem = PROBLEMS.get(str(told.get("reason") or ""))
        self._field.wrong("" if good else t(problem) if problem else t("E-mail cannot be sent to this address."))
        if told.get("suggestion"):
            self._meant(str(told["suggestion"]))
        elif told.get("validity") == "valid":
            Tag("span", "badge good", t("Looks right"))
        return good

    def _known(self, known: Mapping[str, Any]) -> list[str]:
        """Return what speaks against an address, of what is known of it."""
        texts, t, found = self._visitor.texts, self._visitor.t, []
        if known["blocked"]:
            why = reasons.title(texts, known["block_reason"]) or reasons.word(texts, reasons.CAUSES, known["cause"])
            found.append(t("This address is blocked: {why}. It stays so.", why=why))
        elif known["reason"] and known["status"] in ("hard_bounced", "soft_bounced"):
            found.append(t("E-mail to this address bounced: {why}.", why=reasons.title(texts, known["reason"])))
        others = [one for one in known["contacts"] if one["contact"] != self._contact]
        for one in others[:2]:
            whose = ", ".join(filter(None, (one["name"] or one["contact"], one["company"])))
            found.append(t("{whose} has this address already. Two people may share one.", whose=whose))
        if known["corrected_to"]:
            found.append(t("It was corrected to {address} before.", address=known["corrected_to"]["address"]))
        return found

    def _meant(self, meant: str) -> None:
        with Tag("p", "meant"):
            Tag("span", text=self._visitor.t("Did you mean {address}?", address=meant) + " ")
            button(self._visitor.t("Use"), partial(self._take, meant), "small-button")

    async def _take(self, meant: str) -> None:
        self._field.put(meant)
        await self._check(meant)

    async def _done(self, then: Leave | None) -> None:
        new = str(self._field.value).strip()
        if new == self._old:
            leave = then or self._leave
            if leave is not None:
                await leave()
            return
        good, against = await self._check(new)
        if not good:
            return
        if against:
            with self._said:
                button(self._visitor.t("Save all the same"), partial(self._store, new, then))
            return
        await self._store(new, then)

    async def _store(self, new: str, then: Leave | None) -> None:
        try:
            identity = await correct(self._visitor, self._old, new, self._contact)
        except Trouble as trouble:
            with self._said:
                notice("bad", *self._visitor.trouble(trouble))
            return
        await self._saved(new, identity)
        if then is not None:
            await then()
