"""Views are held against the rows, sorted and filtered in Python: each view, each sort, both ways, page by page."""

from typing import Any

import pytest

from services.actions.views import view_queries
from services.actions.views.domain import Group, Sort
from services.actions.views.http import ViewRow
from shared.http.pagination import Page
from tests.actions.builders import rows_to_view
from tests.support.harness import RunningService

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
async def actions(actions: RunningService) -> RunningService:
    await rows_to_view(actions.service.pool)
    return actions


async def pages(actions: RunningService, view: str, limit: int = 2, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        answer = await actions.http.get(f"/v1/views/{view}", params={"limit": limit, **query})
        assert answer.status_code == 200, answer.text
        page = Page[ViewRow].model_validate(answer.json())
        assert page.model_dump(mode="json") == answer.json(), "the rows are those that the document describes"
        found += answer.json()["items"]
        if answer.json()["next_cursor"] is None:
            return found
        query["cursor"] = answer.json()["next_cursor"]


VIEWS: list[tuple[str, dict[str, Any], int]] = [
    ("recipients", {"mailing": "m1"}, 14),
    ("returned", {}, 5),
    ("complaints", {}, 1),
    ("blocked", {}, 3),
    ("blocked", {"mailing": "m1"}, 3),
]


async def test_each_sort_both_ways_page_by_page(actions: RunningService, subtests: pytest.Subtests) -> None:
    for view, query, number in VIEWS:
        with subtests.test(view, **query):
            await is_sorted(actions, view, query, number)


async def is_sorted(actions: RunningService, view: str, query: dict[str, Any], number: int) -> None:
    for sort in Sort:
        for descending in (False, True):
            found = await pages(actions, view, sort=sort.value, descending=descending, **query)
            places = [(row["mailing"], row["key"]) for row in found]
            assert len(found) == len(set(places)) == number, (sort, descending)
            shown = [row[sort.value] for row in found]
            if sort is Sort.STATUS:  # those of whom there is nothing to see come last, as those without a value
                shown = [None if value in ("ready", "sent", "delivered") else value for value in shown]
            values = [value for value in shown if value is not None]
            assert shown == values + [None] * (number - len(values)), (sort, descending)
            in_order = [value == "hard" if sort is Sort.TYPE else str(value).lower() for value in values]
            assert in_order == sorted(in_order, reverse=descending), (sort, descending)
            whole = await pages(actions, view, 1_000, sort=sort.value, descending=descending, **query)
            assert whole == found
    counted = (await actions.http.get(f"/v1/views/{view}/count", params=query)).json()
    assert counted == {"count": number, "exact": True}


async def test_mailings_are_shown_by_their_names(actions: RunningService) -> None:
    assert (await actions.http.put("/v1/mailings/m1", json={"name": "Newsletter"})).status_code == 204
    rows = await pages(actions, "returned")
    assert {(row["mailing"], row["mailing_name"]) for row in rows} == {("m1", "Newsletter"), ("m2", None)}
    groups = (await actions.http.get("/v1/views/returned/groups", params={"by": "mailing"})).json()["groups"]
    assert {(one["value"], one["name"]) for one in groups} == {("m1", "Newsletter"), ("m2", "m2")}


@pytest.mark.parametrize("few", [0, view_queries.MAX_FILTER_LOOKUP])
async def test_filters_are_combined(actions: RunningService, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    for limit in ("MAX_FILTER_LOOKUP", "MAX_SEARCH_LOOKUP", "MAX_UNSORTED_LOOKUP"):
        monkeypatch.setattr(view_queries, limit, few)

    async def keys(**query: Any) -> list[str]:
        return [row["key"].partition("@")[0] for row in await pages(actions, "recipients", mailing="m1", **query)]

    assert await keys(show="returned") == ["u0", "u1", "u2", "u3"]
    assert await keys(show=["opened", "complained"]) == ["u4", "u5", "u6"]
    assert sorted(await keys(show="sent")) == sorted(f"u{n}" for n in range(12)), (
        "all that were sent, whatever followed"
    )
    assert await keys(show="ready") == ["ready"]
    assert await keys(show="blocked") == ["skipped"]
    assert await keys(show=["returned", "blocked"], blocked=True) == ["skipped", "u1", "u3"]
    assert await keys(show="returned", reason="user_unknown") == ["u1", "u3"]
    assert await keys(domain="OTHER.example") == ["skipped"]
    assert await keys(company="x as", show="opened", contact=True) == ["u4", "u5"]
    assert await keys(q="U1") == ["u10", "u11", "u1"]
    assert await keys(q="n1 x") == ["u1", "u5"]
    assert await keys(q="nobody") == []
    assert await keys(q="@other") == ["skipped"]
    assert await keys(q="@Other.example") == ["skipped"]
    assert await keys(q="@ther") == []
    assert await keys(q="*KIPPED@OTH") == ["skipped"]
    assert await keys(q="*1@") == ["u11", "u1"]
    assert await keys(status="hard_bounced") == ["u1", "u3"]
    for q, number in (("U1", 3), ("n1 x", 2), ("u", 12), ("nobody", 0)):
        counted = await actions.http.get("/v1/views/recipients/count", params={"mailing": "m1", "q": q})
        assert counted.json() == {"count": number, "exact": True}, q
    assert await keys(type="hard") == ["u1", "u3"]
    assert await keys(day="2026-01-02") == ["u0", "u1", "u2", "u3"]
    assert await keys(first="2026-01-02", last="2026-01-02") == ["u0", "u1", "u2", "u3"]
    assert (
        await keys(first="2026-01-03")
        == await keys(last="2026-01-01")
        == await keys(day="2026-01-02", first="2026-01-03")
        == []
    )


async def test_a_group_is_opened_by_its_value(actions: RunningService, subtests: pytest.Subtests) -> None:
    for group in Group:
        with subtests.test(group.value):
            answer = (await actions.http.get("/v1/views/returned/groups", params={"by": group.value})).json()
            assert answer["exact"] is True
            assert sum(one["count"] for one in answer["groups"]) == 5
            for one in answer["groups"]:
                if one["value"] is not None:
                    opened = await pages(actions, "returned", **{group.value: one["value"]})
                    assert len(opened) == one["count"], one


async def test_groups_of_a_search_that_finds_many_say_that_they_are_not_exact(
    actions: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def groups(q: str) -> tuple[int, bool]:
        answer = (await actions.http.get("/v1/views/returned/groups", params={"by": "domain", "q": q})).json()
        return sum(one["count"] for one in answer["groups"]), answer["exact"]

    assert await groups("u") == (5, True)
    monkeypatch.setattr(view_queries, "MAX_FILTER_LOOKUP", 2)
    assert await groups("u") == (5, True)
    monkeypatch.setattr(view_queries, "MAX_UNSORTED_LOOKUP", 3)
    assert await groups("u") == (3, False)


async def test_what_cannot_be_is_refused(actions: RunningService) -> None:
    for path, query in (
        ("recipients", {}),
        ("nothing", {}),
        ("blocked", {"sort": "address; DROP TABLE recipients"}),
        ("blocked", {"cursor": "x"}),
        ("blocked", {"cursor": "W10="}),
        ("returned", {"sort": "sent_at", "cursor": "W2ZhbHNlLCAieCIsICJ5IiwgInoiXQ=="}),
        ("returned", {"day": "yesterday"}),
    ):
        answer = await actions.http.get(f"/v1/views/{path}", params=query)
        assert answer.status_code == 422, (path, query, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
