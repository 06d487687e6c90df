"""Storms: what suddenly made most returns; said at the top, with what can be done about it."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from services.console.api_client import Trouble
from services.console.components.dialogs.dialog import Dialog
from services.console.components.markup import Tag, button, icon, notice
from services.console.components.shell import Visitor
from services.console.i18n import gettext_noop as _, reasons

MOST = 5
BLAMED = {
    "domain": _("Suddenly most bounces come from {what}"),
    "reason": _("Suddenly most bounces have one reason: {what}"),
    "ip": _("Suddenly most bounces come from the sending server {what}"),
}
STATES = {
    "held": _("Bounces after {since} do not count against the addresses while it lasts."),
    "lifted": _("The blocks have been lifted."),
    "counted": _("Its bounces are counted as all others."),
}
CHOICES = {
    "lifted": _("Lift these blocks"),
    "counted": _("Count its bounces after all"),
}


async def current(visitor: Visitor) -> list[dict[str, Any]]:
    """Return the storms that go on, or that nobody has judged yet, with how many addresses each blocks."""
    found = (await visitor.api.get("blocklist", "/v1/storms", limit=MOST))["items"]
    shown = [storm for storm in found if storm["ended"] is None or storm["judged_at"] is None]
    return list(await asyncio.gather(*(visitor.api.get("blocklist", f"/v1/storms/{one['id']}") for one in shown)))


def show(visitor: Visitor, storms: Sequence[Mapping[str, Any]]) -> None:
    """Draw storms."""
    for storm in storms:
        _one(visitor, storm, Tag("div"))


def _one(visitor: Visitor, storm: Mapping[str, Any], place: Tag) -> None:
    t, texts = visitor.t, visitor.texts
    what = reasons.title(texts, storm["value"]) if storm["kind"] == "reason" else storm["value"]
    with place, Tag("section", "notice warn storm", role="status"):
        icon("warning")
        with Tag("div", "stack"):
            blamed = BLAMED[storm["kind"]]
            Tag("strong", text=t(blamed, what=what))
            since = texts.time(storm["begun"])
            count, of = texts.number(storm["bounces"]), texts.number(storm["of_bounces"])
            seen = t("Recognised by {count} of {of} bounces since {since}.", count=count, of=of, since=since)
            Tag("p", text=seen)
            if storm["ended"] is not None:
                Tag("p", text=t("It ended {when}.", when=texts.time(storm["ended"])))
            _state(visitor, storm)
            if visitor.may("write"):
                with Tag("div", "row"):
                    for state, title in CHOICES.items():
                        if state != storm["state"]:
                            button(t(title), partial(_ask, visitor, storm, state, place))


def _state(visitor: Visitor, storm: Mapping[str, Any]) -> None:
    """Say what becomes of its bounces, and how many addresses those before it was recognised have blocked."""
    texts, suspended = visitor.texts, visitor.texts.time(storm["suspended_from"])
    text = visitor.t(STATES[storm["state"]], since=suspended)
    if storm["state"] != "lifted" and storm["blocked"]:
        text += " " + texts.tn(
            "{n} address is blocked by those that count.", "{n} addresses are blocked by those that count.",
            storm["blocked"],
        )  # fmt: skip
    Tag("p", text=text)


async def _ask(visitor: Visitor, storm: Mapping[str, Any], state: str, place: Tag) -> None:
    t = visitor.t
    with place:
        dialog = Dialog(visitor, t(CHOICES[state]))
    with dialog.body:
        try:
            known = await visitor.api.get("blocklist", f"/v1/storms/{storm['id']}")
        except Trouble as trouble:
            notice("bad", *visitor.trouble(trouble))
            return
        blocked = visitor.texts.tn(
            "{n} address is blocked by it now.", "{n} addresses are blocked by it now.", known["blocked"]
        )
        Tag("p", text=blocked)
        if state == "lifted":
            Tag("p", text=t("The blocks are lifted, and the bounces of the storm do not count. It can be undone."))
        else:
            Tag("p", text=t("The bounces of the storm count, and may block addresses. It can be undone."))
    with dialog.foot:
        dialog.cancel_button()
        button(t("OK"), partial(_judge, visitor, storm, state, place, dialog), "primary")


async def _judge(visitor: Visitor, storm: Mapping[str, Any], state: str, place: Tag, dialog: Dialog) -> None:
    with dialog.body:
        try:
            await visitor.api.call("blocklist", "POST", f"/v1/storms/{storm['id']}", body={"state": state})
        except Trouble as trouble:
            notice("bad", *visitor.trouble(trouble))
            return
    dialog.close()
    place.clear()
    with place:
        notice("good", visitor.t(STATES[state], since=visitor.texts.time(storm["suspended_from"])))
