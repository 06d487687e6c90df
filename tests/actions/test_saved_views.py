"""Saved views: one's own, those that are shared, and nothing of another tenant or of an address."""

from datetime import timedelta
from typing import Any

import pytest

from shared.http.auth import issue
from tests.support.harness import TENANT, TOKEN_KEY, RunningService

pytestmark = [pytest.mark.anyio, pytest.mark.services]


def token(name: str, *scopes: str) -> dict[str, str]:
    """Return the header of somebody."""
    signed = issue(TOKEN_KEY, name=name, tenant=TENANT, scopes=scopes, lifetime=timedelta(hours=1))
    return {"Authorization": f"Bearer {signed}"}


VIEW = {"page": "/blocked", "name": "Dead at Gmail", "query": "f.domain=gmail.com&q=%40gmail"}


async def test_view_is_listed_for_its_page_and_deleted(actions: RunningService) -> None:
    made = await actions.http.post("/v1/saved-views", json=VIEW)
    assert made.status_code == 201, made.text
    (found,) = (await actions.http.get("/v1/saved-views", params={"page": "/blocked"})).json()["items"]
    assert {name: found[name] for name in VIEW} == VIEW
    assert (found["shared"], found["id"]) == (False, made.json()["id"])
    assert (await actions.http.get("/v1/saved-views", params={"page": "/contacts"})).json()["items"] == []
    assert (await actions.http.delete(f"/v1/saved-views/{found['id']}")).status_code == 204
    assert (await actions.http.delete(f"/v1/saved-views/{found['id']}")).status_code == 404
    assert (await actions.http.get("/v1/saved-views", params={"page": "/blocked"})).json()["items"] == []


async def test_view_of_another_is_seen_only_when_it_is_shared_and_deleted_by_nobody_else(
    actions: RunningService,
) -> None:
    mine = token("ann", "read", "write")
    theirs = token("berit", "read", "write")
    for shared in (False, True):
        body = VIEW | {"shared": shared, "name": f"shared {shared}"}
        assert (await actions.http.post("/v1/saved-views", json=body, headers=mine)).status_code == 201
    asked: dict[str, Any] = {"params": {"page": "/blocked"}}
    seen = (await actions.http.get("/v1/saved-views", headers=theirs, **asked)).json()["items"]
    assert [one["name"] for one in seen] == ["shared True"]
    assert (await actions.http.delete(f"/v1/saved-views/{seen[0]['id']}", headers=theirs)).status_code == 404
    administrator = token("carl", "read", "write", "administer")
    assert (await actions.http.delete(f"/v1/saved-views/{seen[0]['id']}", headers=administrator)).status_code == 204
    left = (await actions.http.get("/v1/saved-views", headers=mine, **asked)).json()["items"]
    assert [one["name"] for one in left] == ["shared False"]


@pytest.mark.parametrize(
    "query",
    ["q=ann@example.com", "q=ann%40example.com", "q=ann%2540example.com", "q=*n@e", "f.company=ann@example.com"],
)
async def test_view_that_names_an_address_is_refused(actions: RunningService, query: str) -> None:
    assert (await actions.http.post("/v1/saved-views", json=VIEW | {"query": query})).status_code == 422
    body = VIEW | {"name": "Of ann@example.com"}
    assert (await actions.http.post("/v1/saved-views", json=body)).status_code == 201
    told = (await actions.http.get("/v1/saved-views", params={"page": "/blocked"})).text
    assert "ann@example.com" not in told
