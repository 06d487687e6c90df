"""Blocked and bounced addresses whose domain is probably misspelt: seen together, and corrected together."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

from services.console.api_client import Trouble
from services.console.components.markup import Tag, button, empty, notice
from services.console.components.progress import Toast
from services.console.components.shell import Visitor
from services.console.i18n import gettext_noop as _

VALIDITIES = {
    "valid": (_("Accepts e-mail"), "good"),
    "invalid": (_("Does not accept e-mail"), "bad"),
    "unknown": (_("Could not be checked just now"), "warn"),
}
VIEWS = ("blocked", "returned")
MOST_EACH = 500
"""Addresses of one domain that are shown."""
CHECKED_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Slip:
    """A misspelt domain, the one that was probably meant, and the addresses with it that belong to somebody."""

    domain: str
    meant: str
    validity: str
    """Of the one that was meant, by DNS: valid, invalid or unknown."""
    addresses: tuple[tuple[str, str], ...]
    """Each with whose it is."""


async def show(visitor: Visitor) -> None:
    """Draw them, each domain with its addresses, and the button that corrects what is selected."""
    t = visitor.t
    place = Tag("div", "stack")

    async def draw() -> None:
        place.clear()
        with place, visitor.guarding():
            slips = await found(visitor)
            if not slips:
                empty("ok", t("No likely typing errors"), t("Misspelt domains of bounced addresses show up here."))
                return
            _Corrections(visitor, slips, draw).show()

    await draw()


async def found(visitor: Visitor) -> list[Slip]:
    """Return the misspelt domains among what is blocked or bounced, most addresses first. Raises `Trouble`."""
    api = visitor.api
    groups = await asyncio.gather(*(api.get("actions", f"/v1/views/{one}/groups", by="domain") for one in VIEWS))
    domains = sorted({one["value"] for view in groups for one in view["groups"] if one["value"]})
    meant = await _suggested(visitor, domains)
    if not meant:
        return []
    right_ones = await _validated(visitor, sorted(set(meant.values())))
    people = await asyncio.gather(*(_addresses(visitor, domain) for domain in meant))
    slips = [
        Slip(domain, right, str(right_ones[right].get("validity")), theirs)
        for (domain, right), theirs in zip(meant.items(), people, strict=True)
        if theirs
    ]
    return sorted(slips, key=lambda slip: (-len(slip.addresses), slip.domain))


async def _validated(visitor: Visitor, domains: Sequence[str]) -> dict[str, dict[str, Any]]:
    told: dict[str, dict[str, Any]] = {}
    for start in range(0, len(domains), CHECKED_AT_ONCE):
        some = domains[start : start + CHECKED_AT_ONCE]
        body = {"addresses": [f"postmaster@{domain}" for domain in some]}
        answer = await visitor.api.call("ingest", "POST", "/v1/validate", body=body)
        told |= dict(zip(some, answer["results"], strict=True))
    return told


async def _suggested(visitor: Visitor, domains: Sequence[str]) -> dict[str, str]:
    """Return what was probably meant, by domain, of those that are misspelt."""
    told = await _validated(visitor, domains)
    return {domain: str(one["suggestion"]).rpartition("@")[2] for domain, one in told.items() if one.get("suggestion")}


async def _addresses(visitor: Visitor, domain: str) -> tuple[tuple[str, str], ...]:
    asked = {"domain": domain, "contact": True, "limit": MOST_EACH}
    views = await asyncio.gather(*(visitor.api.get("actions", f"/v1/views/{one}", **asked) for one in VIEWS))
    return tuple({row["address"]: row["name"] or row["contact"] for view in views for row in view["items"]}.items())


class _Corrections:
    """The list, with what is selected of it."""

    def __init__(self, visitor: Visitor, slips: Sequence[Slip], draw: Any) -> None:
        self._visitor, self._slips, self._draw = visitor, slips, draw
        self._chosen = {one for slip in slips if slip.validity == "valid" for one, _whose in slip.addresses}
        self._key = str(uuid4())

    def show(self) -> None:
        """Draw it."""
        t = self._visitor.t
        with Tag("div", "row"):
            if self._visitor.may("write"):
                self._button = button(self._said(), self._correct, "primary", disabled=not self._chosen)
        self._trouble = Tag("div", aria_live="polite")
        for slip in self._slips:
            with Tag("section", "card"):
                with Tag("div", "row"):
                    Tag("h2", text=f"{slip.domain} → {slip.meant}")
                    title, tone = VALIDITIES.get(slip.validity, VALIDITIES["unknown"])
                    Tag("span", f"badge {tone}", t(title))
                with Tag("table", "plain-table"), Tag("tbody"):
                    for address, whose in slip.addresses:
                        self._row(slip, address, whose)

    def _row(self, slip: Slip, address: str, whose: str) -> None:
        with Tag("tr"):
            with Tag("td", "tick"):
                box = Tag("input", type="checkbox", aria_label=address, checked=address in self._chosen)
                if slip.validity == "invalid" or not self._visitor.may("write"):
                    box.props["disabled"] = True
                box.on("change", partial(self._tick, address))
            Tag("td", text=address)
            Tag("td", text=f"{address.rpartition('@')[0]}@{slip.meant}")
            Tag("td", text=whose)

    def _tick(self, address: str) -> None:
        self._chosen ^= {address}
        self._button.props["disabled"] = not self._chosen
        self._button.update()
        self._button.clear()
        with self._button:
            Tag("span", text=self._said())

    def _said(self) -> str:
        return self._visitor.texts.tn("Correct {n} address", "Correct {n} addresses", len(self._chosen))

    async def _correct(self) -> None:
        if not self._chosen:
            return
        domains = {
            slip.domain: slip.meant
            for slip in self._slips
            if any(one in self._chosen for one, _whose in slip.addresses)
        }
        body = {
            "operation": "correct_address", "target": {"addresses": sorted(self._chosen)},
            "parameters": {"domains": domains},
        }  # fmt: skip
        api = self._visitor.api
        try:
            seen = await api.call(
                "actions", "POST", "/v1/operations", body=body, headers={"Idempotency-Key": self._key}
            )
            path = f"/v1/operations/{seen['id']}/confirm"
            await api.call("actions", "POST", path, body={"token": seen["token"]})
        except Trouble as trouble:
            with self._trouble:
                notice("bad", *self._visitor.trouble(trouble))
            return
        Toast(self._visitor, seen["id"], "correct_address", self._draw, fresh=False)
