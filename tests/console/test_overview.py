"""Storms and charts of the overview, for a customer whose mail one receiving domain refused, in a real browser."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from services.console.i18n import Texts
from tests.console.conftest import PASSWORD, System, Visit

pytestmark = pytest.mark.services
CUSTOMER, USER = "weather", "forecaster"
MAILING = "forecast"
REFUSED, FEW = 75, 30
"""The first few are blocked before anybody can know that it is a storm."""


class Customer:
    """A tenant of its own, asked with a token of its own."""

    def __init__(self, system: System) -> None:
        run = system.installation.run
        token = run("token", "--scopes", "send,check,read,write", "--tenant", CUSTOMER).strip()
        run("user", "add", "--tenant", CUSTOMER, "--role", "marketer", USER, given=PASSWORD)
        self.system = system
        self.http = httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=30)

    def get(self, service: str, path: str) -> Any:
        return self.http.get(self.system.urls[service] + path).raise_for_status().json()

    def refused(self, numbers: range) -> None:
        """Hand in that every address of the domain is refused."""
        unknown = {"result": "bounced", "diagnostic": "550 5.1.1 User unknown"}
        self.hand_in({"address": f"user{n}@stormy.example"} | unknown for n in numbers)

    def hand_in(self, results: Iterable[dict[str, str]]) -> None:
        now = (datetime.now(UTC) - timedelta(seconds=5)).isoformat()
        rows = [{"mailing": MAILING, "time": now} | result for result in results]
        self.http.post(f"{self.system.urls['ingest']}/v1/delivery-results", json=rows).raise_for_status()

    def is_judged(self) -> bool:
        """Tell whether every return has been counted, and what follows from it has come to where the console looks."""
        known = (self.get("blocklist", f"/v1/addresses/user{n}@stormy.example") for n in range(REFUSED))
        if not all(address["history"] for address in known):
            return False
        return sum(int(row["blocked"]) for row in self.get("blocklist", "/v1/counts")["items"]) == self.blocked()

    def blocked(self) -> int:
        return int(self.get("actions", "/v1/views/blocked/count")["count"])


@pytest.fixture(scope="module")
def customer(system: System) -> Iterator[Customer]:
    made = Customer(system)
    wait = system.installation.wait_for
    made.hand_in({"address": f"user{n}@calm.example", "result": "delivered"} for n in range(FEW))
    made.refused(range(FEW))
    wait(lambda: made.blocked() == FEW)
    made.refused(range(FEW, REFUSED))
    wait(lambda: made.get("blocklist", "/v1/storms?limit=5")["items"])
    wait(lambda: made.get("actions", f"/v1/views/returned/count?mailing={MAILING}")["count"] == REFUSED)
    wait(made.is_judged)
    wait(lambda: not made.get("actions", "/v1/statistics")["pending"])
    yield made
    made.http.close()


def test_a_click_on_a_bar_leads_to_the_rows_behind_it(customer: Customer, visit: Visit) -> None:
    t, page, today = Texts("en").t, visit(USER), customer.blocked()
    assert today > 0, "before what the storm blocked is freed"

    def click(heading: str, across: float, last: int = 0) -> None:
        page.goto(f"{customer.system.url}/")
        chart = page.locator("section", has=page.get_by_role("heading", name=heading)).locator(".chart svg")
        box = chart.bounding_box()
        assert box is not None
        chart.click(position={"x": box["width"] * across - last, "y": box["height"] * 0.75})

    click(t("Bounce rate by mailing"), 0.5)  # of one mailing the bar stands in the middle
    page.wait_for_url(f"**/mailings/{MAILING}?tab=bounces")
    expect(page.locator("tr.item")).to_have_count(REFUSED)
    click(t("Blocked and unblocked each day"), 1, 12)  # the last day is the rightmost
    page.wait_for_url("**/blocked?f.day=*")
    expect(page.locator("tr.item")).to_have_count(today)


@pytest.mark.parametrize("language", ["nb"])
def test_what_a_storm_blocked_is_freed_in_one_go(customer: Customer, visit: Visit, language: str) -> None:
    t, page = Texts(language).t, visit(USER, language)
    storm = page.locator(".storm")
    expect(storm).to_contain_text("stormy.example")
    blocked = customer.blocked()
    assert blocked > 0
    by_it = Texts(language).tn(
        "{n} address is blocked by those that count.", "{n} addresses are blocked by those that count.", blocked
    )
    expect(storm).to_contain_text(by_it)
    storm.get_by_role("button", name=t("Lift these blocks")).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(str(customer.blocked()))
    dialog.get_by_role("button", name="OK").click()
    expect(page.get_by_text(t("The blocks have been lifted."))).to_be_visible()
    customer.system.installation.wait_for(lambda: customer.blocked() == 0)
