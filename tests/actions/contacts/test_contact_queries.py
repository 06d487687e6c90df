"""The list of contacts is held against the contacts, sorted and found in Python: each sort, both ways, page by page."""

from collections.abc import Callable
from typing import Any

import pytest

from services.actions.contacts import contact_queries
from services.actions.contacts.contact_queries import Sort
from services.actions.views import keyset, repository, view_queries
from tests.actions.builders import apply, contact_upsert
from tests.support.harness import RunningService

pytestmark = [pytest.mark.anyio, pytest.mark.services]

PEOPLE: dict[str, dict[str, Any]] = {
    "c1": {"name": "Åse Berg", "company": "Nordlys", "addresses": ["ase@nord.no"]},
    "c2": {"name": "Zoe Ås", "company": "Annen AS", "addresses": ["zoe@annen.no", "zo@nord.no"]},
    "c3": {"name": "anna Lie", "company": "Nordlys", "addresses": ["anna@nord.no"], "former_employee": True},
    "c4": {"company": "Nordlys", "addresses": ["kontor@nord.no"]},
    "c5": {"name": "Anna Lie"},
    "c6": {"addresses": ["ingen@sted.no"], "former_employee": True},
    "c7": {"name": "Øyvind Berg"},
}
BY_NAME, NAMELESS = ["c3", "c5", "c2", "c7", "c1"], ["c4", "c6"]
"""Å comes after ø and both after z; capitals do not matter."""
BY_COMPANY, FREE = ["c2", "c1", "c3", "c4"], ["c5", "c6", "c7"]


@pytest.fixture
async def actions(actions: RunningService) -> RunningService:
    upserts = (contact_upsert(contact, 1, **values) for contact, values in PEOPLE.items())
    await apply(actions.service.pool, *upserts)
    return actions


async def pages(actions: RunningService, limit: int = 2, **query: Any) -> list[str]:
    found: list[str] = []
    while True:
        answer = await actions.http.get("/v1/contacts", params={"limit": limit, **query})
        assert answer.status_code == 200, answer.text
        found += [row["contact"] for row in answer.json()["items"]]
        if answer.json()["next_cursor"] is None:
            return found
        query["cursor"] = answer.json()["next_cursor"]


@pytest.mark.parametrize("descending", [False, True])
async def test_each_sort_both_ways_page_by_page(actions: RunningService, descending: bool) -> None:
    """Those without a name come last either way."""

    def turned(these: list[str]) -> list[str]:
        return these[::-1] if descending else these

    expected = {
        Sort.CONTACT: turned(sorted(PEOPLE)),
        Sort.NAME: turned(BY_NAME) + turned(NAMELESS),
        Sort.COMPANY: turned(BY_COMPANY) + turned(FREE),
    }
    for sort, those in expected.items():
        for limit in (1, 2, 3, 100):
            assert await pages(actions, limit, sort=sort.value, descending=descending) == those, (sort, limit)


FOUND: list[tuple[dict[str, Any], list[str]]] = [
    ({"q": "berg"}, ["c1", "c7"]),
    ({"q": "an"}, ["c2", "c3", "c5"]),
    ({"q": "zo@"}, ["c2"]),
    ({"q": "nobody"}, []),
    ({"q": "@nord"}, ["c1", "c2", "c3", "c4"]),
    ({"q": "@Annen.no"}, ["c2"]),
    ({"q": "*GEN@"}, ["c6"]),
    ({"q": "*@n"}, ["c1", "c2", "c3", "c4"]),
    ({"company": "nordlys"}, ["c1", "c3", "c4"]),
    ({"company": "nordlys", "q": "ann"}, ["c3"]),
    ({"former_employee": True}, ["c3", "c6"]),
    ({"former_employee": False, "q": "anna"}, ["c5"]),
    ({"contact": "c4"}, ["c4"]),
]


@pytest.mark.parametrize("few", [view_queries.MAX_FILTER_LOOKUP, 0], ids=["looked up", "met on the way"])
async def test_what_is_searched_is_found_and_counted(
    actions: RunningService, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    for limit in ("MAX_FILTER_LOOKUP", "MAX_UNSORTED_LOOKUP"):
        monkeypatch.setattr(contact_queries, limit, few)
    order: dict[Sort, Callable[[str], int]] = {
        Sort.CONTACT: sorted(PEOPLE).index, Sort.NAME: (BY_NAME + NAMELESS).index,
        Sort.COMPANY: (BY_COMPANY + FREE).index,
    }  # fmt: skip
    for query, those in FOUND:
        for sort, place in order.items():
            assert await pages(actions, sort=sort.value, **query) == sorted(those, key=place), (query, sort)
        counted = (await actions.http.get("/v1/count/contacts", params=query)).json()
        assert counted == {"count": len(those), "exact": True}, query


async def test_companies_are_groups_that_their_value_opens(actions: RunningService) -> None:
    told = (await actions.http.get("/v1/groups/contacts")).json()
    assert told["exact"] is True
    found = [(one["name"], one["count"]) for one in told["groups"]]
    assert sorted(found, key=str) == [("Annen AS", 1), ("Nordlys", 3), (None, 3)]
    for one in told["groups"]:
        if one["value"] is not None:
            assert len(await pages(actions, company=one["value"])) == one["count"]
    assert (await actions.http.get("/v1/groups/contacts", params={"q": "zoe"})).json()["groups"][0]["count"] == 1


async def test_more_than_are_counted_is_said(actions: RunningService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyset, "MAX_COUNT", 3)
    monkeypatch.setattr(repository, "MAX_COUNT", 3)
    assert (await actions.http.get("/v1/count/contacts")).json() == {"count": 3, "exact": False}


async def test_a_mark_of_something_else_is_refused(actions: RunningService) -> None:
    of_names = (await actions.http.get("/v1/contacts", params={"limit": 1, "sort": "name"})).json()["next_cursor"]
    for query in ({"cursor": of_names}, {"cursor": "x"}, {"cursor": "W10="}, {"sort": "version"}):
        answer = await actions.http.get("/v1/contacts", params=query)
        assert answer.status_code == 422, (query, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
