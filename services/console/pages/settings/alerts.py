"""Who is alerted to what: the channels of a customer, and what became of their last messages. For administrators."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from services.console.api_client import Trouble
from services.console.components.dialogs.dialog import Dialog
from services.console.components.field import Field
from services.console.components.markup import Tag, button, notice, plain_table as table
from services.console.components.shell import Visitor
from services.console.i18n import gettext_noop as _

PATH = "/v1/alert-channels"
KINDS = {"email": _("E-mail"), "slack": "Slack", "teams": "Microsoft Teams", "webhook": "Webhook"}
SEVERITIES = {
    "info": _("All, also what needs nobody"),
    "warning": _("Warnings and what is critical"),
    "critical": _("Only what is critical"),
}
DIGESTS = {"off": _("At once"), "hourly": _("Together, every hour"), "daily": _("Together, every day at 8")}
STATES = {"sent": _("Sent"), "failed": _("Failed"), "open": _("Is tried again")}
LANGUAGES = {"nb": "Norsk", "en": "English"}


class Alerts:
    """The section, which is drawn anew after a change."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        t = visitor.t
        with Tag("div", "cards after-cards"), Tag("section", "card stack"):
            Tag("h2", text=t("Alerts"))
            Tag("p", "quiet", t("Storms, disabled webhooks, expiring tokens and finished imports are told to people."))
            self._place = Tag("div", "stack")
            self._said = Tag("div", aria_live="polite")
        self._dialogs = Tag("div")

    async def show(self) -> None:
        """Draw it."""
        visitor, t = self._visitor, self._visitor.t
        found = (await visitor.api.get("alerts", PATH))["items"]
        self._place.clear()
        with self._place:
            if found:
                with table(t("Name"), t("Kind"), t("To"), t("Last message"), "", label=t("Alerts")):
                    for channel in found:
                        self._row(channel)
            button(t("New channel"), self._new, "primary").style("justify-self: start")

    def _row(self, channel: dict[str, Any]) -> None:
        t, name, kind = self._visitor.t, channel["name"], channel["kind"]
        path = f"{PATH}/{quote(name, safe='')}"
        with Tag("tr"):
            Tag("td", "first", name)
            Tag("td", text=t(KINDS[kind]))
            Tag("td", text=", ".join(channel["recipients"]) or channel["host"])
            with Tag("td"):
                self._last(channel)
            with Tag("td"), Tag("div", "row"):
                button(t("Change"), partial(self._edit, channel, path), aria_label=t("Change {name}", name=name))
                button(t("Send a test"), partial(self._try, name, path), aria_label=t("Send a test: {name}", name=name))
                enabled = channel["enabled"]
                act = partial(self._change, "PATCH", path, {"enabled": not enabled})
                button(t("Disable") if enabled else t("Enable"), act)
                button(t("Remove"), partial(self._change, "DELETE", path), aria_label=t("Remove {name}", name=name))

    def _last(self, channel: dict[str, Any]) -> None:
        t, texts, state = self._visitor.t, self._visitor.texts, channel["last_state"]
        if not channel["enabled"]:
            Tag("span", "badge calm", t("Disabled"))
        elif state:
            Tag("span", "badge" if state == "sent" else "badge warn", t(STATES[state]))
            Tag("span", "quiet small", f" {texts.time(channel['last_at'])} {channel['last_problem']}".rstrip())

    async def _change(self, method: str, path: str, body: Any = None) -> None:
        self._said.clear()
        with self._said:
            try:
                await self._visitor.api.call("alerts", method, path, body=body)
            except Trouble as trouble:
                notice("bad", *self._visitor.trouble(trouble))
                return
        await self.show()

    async def _try(self, name: str, path: str) -> None:
        """Send a test message, and say what went wrong in the words of the other side."""
        t = self._visitor.t
        self._said.clear()
        with self._said:
            try:
                told = await self._visitor.api.call("alerts", "POST", f"{path}/test")
            except Trouble as trouble:
                notice("bad", *self._visitor.trouble(trouble))
                return
            if told["good"]:
                notice("good", t("A test message went out by {name}.", name=name), told["problem"])
            else:
                notice("bad", t("The test message did not go out by {name}.", name=name), told["problem"])

    def _new(self) -> None:
        visitor, t = self._visitor, self._visitor.t
        with self._dialogs:
            dialog = Dialog(visitor, t("New channel"))
        with dialog.body:
            help_ = t("Small letters, digits, hyphens.")
            name = Field(t("Name"), help=help_, autofocus=True, autocomplete="off", autocapitalize="none")
            kind = Field(t("Kind"), "select", "email", choices={key: t(text) for key, text in KINDS.items()})
            help_ = t("E-mail addresses, separated by commas; or the URL, which is not shown again.")
            to = Field(t("To"), help=help_, autocomplete="off")
            rule = RuleFields(visitor, {})

        async def save() -> None:
            where = _where(str(kind.value), str(to.value))
            body = {"name": name.value, "kind": kind.value, **where, **rule.body()}
            made = await self._save(dialog, "POST", PATH, body)
            if made is None:
                return
            if not made["secret"]:
                dialog.close()
                return
            dialog.body.clear()
            with dialog.body:
                notice("warn", t("Copy it now: it is not shown again."))
                Tag("pre", "message", made["secret"], tabindex="0")
            dialog.empty_foot()
            with dialog.foot:
                dialog.cancel_button(t("Close"))

        with dialog.foot:
            dialog.cancel_button()
            button(t("OK"), save, "primary")

    def _edit(self, channel: dict[str, Any], path: str) -> None:
        """Ask for what is to be another; a URL stays as it is when none is written."""
        visitor, t, is_email = self._visitor, self._visitor.t, channel["kind"] == "email"
        with self._dialogs:
            dialog = Dialog(visitor, t("Change {name}", name=channel["name"]))
        with dialog.body:
            help_ = t("Separated by commas.") if is_email else t("The URL. Empty: it stays as it is.")
            to = Field(t("To"), value=", ".join(channel["recipients"]), help=help_, autocomplete="off")
            rule = RuleFields(visitor, channel)

        async def save() -> None:
            where = _where(channel["kind"], str(to.value)) if is_email or str(to.value).strip() else {}
            # What somebody else has changed since it was read is not changed back.
            seen = {"If-Match": f'"{channel["version"]}"'}
            if await self._save(dialog, "PATCH", path, {**where, **rule.body()}, seen) is not None:
                dialog.close()

        with dialog.foot:
            dialog.cancel_button()
            button(t("OK"), save, "primary")

    async def _save(
        self, dialog: Dialog, method: str, path: str, body: Any, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Save and draw the section anew; return the answer, or nothing when it was refused, which the dialog says."""
        try:
            saved = await self._visitor.api.call("alerts", method, path, body=body, headers=headers)
        except Trouble as trouble:
            with dialog.body:
                notice("bad", *self._visitor.trouble(trouble))
            return None
        await self.show()
        return saved


class RuleFields:
    """What a channel is told, when, and in which words."""

    def __init__(self, visitor: Visitor, channel: Mapping[str, Any]) -> None:
        """Draw them with what a channel has, or with what a new one has by default."""
        t, quiet = visitor.t, channel.get("quiet")
        severities = {key: t(text) for key, text in SEVERITIES.items()}
        digests = {key: t(text) for key, text in DIGESTS.items()}
        self._least = Field(t("What"), "select", channel.get("severity", "warning"), choices=severities)
        self._when = Field(t("When"), "select", channel.get("digest", "off"), choices=digests)
        hours = f"{quiet['from'][:5]}-{quiet['to'][:5]}" if quiet else ""
        help_ = t("As 22:00-07:00. Empty: none. What is critical goes out all the same.")
        self._quiet = Field(t("Quiet hours"), value=hours, help=help_, autocomplete="off")
        zone = channel.get("time_zone", visitor.texts.zone.key)
        self._zone = Field(t("Time zone"), value=zone, autocomplete="off")
        self._report = Field(t("The report of each week"), "checkbox", channel.get("weekly_report", False))
        language = channel.get("language", visitor.texts.language)
        self._language = Field(t("Language"), "select", language, choices=LANGUAGES)

    def body(self) -> dict[str, Any]:
        """Return what is to be saved."""
        start, dash, end = str(self._quiet.value).partition("-")
        return {
            "severity": self._least.value, "digest": self._when.value,
            "quiet": {"from": start.strip(), "to": end.strip()} if dash else None,
            "time_zone": self._zone.value, "language": self._language.value,
            "weekly_report": bool(self._report.value),
        }  # fmt: skip


def _where(kind: str, to: str) -> dict[str, Any]:
    """Return where messages go, as the service wants it said."""
    if kind != "email":
        return {"url": to.strip()}
    return {"recipients": [part.strip() for part in to.split(",") if part.strip()]}
