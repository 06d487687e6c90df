"""Selections, projects and mailings: by events in any order, by HTTP, by CSV."""

import random
from typing import Any

import pytest

from shared.database.pool import Pool
from tests.actions.builders import (
    apply,
    contact_upsert,
    erased,
    mailing,
    moment,
    publish_events,
    receive_events,
    selection,
    spy_queue,
)
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]


async def state(pool: Pool) -> Any:
    rows = await pool.fetch(
        "SELECT l.list, l.name, l.deleted, l.size, ARRAY(SELECT contact FROM list_members AS m WHERE m.list = l.list"
        " AND m.tenant = l.tenant AND m.kind = l.kind AND member ORDER BY 1) AS members FROM lists AS l ORDER BY 1"
    )
    return [tuple(row) for row in rows]


async def test_whatever_the_order_and_the_batches_the_newest_holds(pool: Pool) -> None:
    said = [
        selection("s1", 1, name="Oslo", add=["a", "b", "c"]),
        selection("s1", 2, remove=["b"]),
        selection("s1", 3, members=["c", "d"]),
        selection("s1", 2, add=["e"]),
        selection("s1", 4, add=["b"], remove=["c"]),
        selection("s1", 5, name="Oslo 2"),
        selection("s2", 1, name="Old", add=["a"]),
        selection("s2", 7, deleted=True),
        selection("s2", 6, name="Older", deleted=False),
        selection("s2", 8, add=["x"], remove=["x"]),
    ]
    wanted = [("s1", "Oslo 2", False, 2, ["b", "d"]), ("s2", "Older", True, 2, ["a", "x"])]
    source = random.Random(7)
    for _ in range(8):
        source.shuffle(said)
        await pool.execute("DELETE FROM lists")
        await pool.execute("DELETE FROM list_members")
        rest = said + source.sample(said, 4)
        while rest:
            size = source.randint(1, 4)
            batch, rest = rest[:size], rest[size:]
            await apply(pool, *batch)
        assert await state(pool) == wanted


async def test_a_change_tells_what_is_different_and_a_repeat_nothing(pool: Pool) -> None:
    first = selection("s1", 1, name="Oslo", add=["a", "b"])
    (made,) = await apply(pool, first)
    assert (made.data.name, made.data.added, made.data.removed) == ("Oslo", ["a", "b"], [])
    assert await apply(pool, first) == []
    (moved,) = await apply(pool, selection("s1", 2, members=["b", "c"]))
    assert (moved.data.added, moved.data.removed) == (["c"], ["a"])
    parts = await apply(pool, selection("s1", 3, add=[f"n{n:05}" for n in range(12_000)]))
    assert [len(part.data.added) for part in parts] == [5_000, 5_000, 2_000]
    assert len({part.id for part in parts}) == 3
    assert (await state(pool))[0][3] == 12_002


async def test_lists_over_http(harness: Harness, actions: RunningService) -> None:
    spy = await spy_queue(harness, "project.changed.*")
    http = actions.http
    body, key = {"name": "Høstens prosjekt", "members": ["c1", "c2"]}, {"Idempotency-Key": "k1"}
    made = await http.post("/v1/projects", json=body, headers=key)
    again = await http.post("/v1/projects", json=body, headers=key)
    assert made.status_code == again.status_code == 201
    assert made.json() == again.json()
    place = made.headers["location"]
    for n in range(5):
        assert (await http.put(f"/v1/projects/p{n}", json={"name": f"Vår {n}"})).status_code == 204
    for typed in ("høst", "HOSTENS", "tens pro"):
        found = (await http.get("/v1/projects", params={"q": typed})).json()["items"]
        assert [(row["name"], row["size"]) for row in found] == [("Høstens prosjekt", 2)], typed
    assert (await http.get("/v1/selections", params={"q": "høst"})).json() == {"items": [], "next_cursor": None}
    names, after = [], None
    while True:
        query = {"limit": 2} | ({"cursor": after} if after else {})
        page = (await http.get("/v1/projects", params=query)).json()
        names += [row["name"] for row in page["items"]]
        after = page["next_cursor"]
        if after is None:
            break
    assert names == ["Høstens prosjekt", *(f"Vår {n}" for n in range(5))]
    await http.put("/v1/contacts/c1", json={"name": "Ann", "former_employee": True})
    assert [m["contact"] for m in (await http.get(f"{place}/members")).json()["items"]] == ["c2"]
    shown = (await http.get(f"{place}/members", params={"former_employees": True})).json()["items"]
    assert [(m["contact"], m["name"]) for m in shown] == [("c1", "Ann"), ("c2", None)]
    changes = await receive_events(harness, spy, 6)
    assert changes[0]["data"] | {"time": ""} == {
        "what": "upserted", "name": "Høstens prosjekt", "added": ["c1", "c2"], "removed": [], "deleted": False,
        "by": "/users/test", "time": "", "project": place.rpartition("/")[2],
    }  # fmt: skip


async def test_an_edit_of_what_has_changed_since_is_refused(actions: RunningService) -> None:
    http = actions.http
    await http.put("/v1/selections/s1", json={"name": "A"})
    seen = (await http.get("/v1/selections/s1")).headers["etag"]
    assert (await http.put("/v1/selections/s1", json={"name": "B"}, headers={"If-Match": seen})).status_code == 204
    late = await http.put("/v1/selections/s1", json={"name": "C"}, headers={"If-Match": seen})
    assert late.status_code == 412
    assert late.headers["content-type"] == "application/problem+json"
    assert (await http.delete("/v1/selections/s1", headers={"If-Match": seen})).status_code == 412
    assert (await http.put("/v1/selections/s9", json={"name": "C"}, headers={"If-Match": "*"})).status_code == 412
    assert (await http.delete("/v1/selections/s1")).status_code == 204
    assert (await http.get("/v1/selections/s1")).status_code == 404
    assert (await http.delete("/v1/selections/s1")).status_code == 404
    for path, body in (("/v1/contacts/c1", {"name": "Ann"}), ("/v1/mailings/m1", {"name": "News"})):
        tag = (await http.put(path, json=body)).headers["etag"]
        changed = await http.put(path, json={"name": "Other"}, headers={"If-Match": tag})
        assert changed.status_code == 204
        assert (await http.put(path, json={"name": "Z"}, headers={"If-Match": tag})).status_code == 412
        same = await http.put(path, json={"name": "Other"}, headers={"If-Match": changed.headers["etag"]})
        assert same.headers["etag"] == changed.headers["etag"], "nothing to be seen has changed"
        read = await http.get(path)
        assert (read.json()["name"], read.headers["etag"]) == ("Other", same.headers["etag"])
        assert (await http.get(f"{path}-not-there")).status_code == 404


async def test_members_and_recipients_from_csv(harness: Harness, actions: RunningService) -> None:
    http = actions.http
    answer = await http.post("/v1/selections/s1/members/import", content=b"id;note\nc1;x\nc2;\n;empty\n" + b"x" * 300)
    assert answer.json()["imported"] == 2
    assert [row["line"] for row in answer.json()["errors"]] == [5]
    assert (await http.get("/v1/selections/s1")).json()["size"] == 2
    content = b"e-post\nann@example.com\nnobody\nBob@Example.com\n"
    planned = await http.post("/v1/mailings/m1/recipients/import", content=content)
    assert (planned.json()["imported"], planned.json()["refused"]) == (2, 1)
    rows = await harness.fetch("actions", "SELECT address FROM recipients ORDER BY 1")
    assert [row["address"] for row in rows] == ["ann@example.com", "bob@example.com"]
    assert (await http.post("/v1/mailings/m1/recipients/import", content=b"name\nAnn\n")).status_code == 422


async def test_mailings_by_events_in_any_order(harness: Harness, actions: RunningService) -> None:
    newest = mailing("m1", 3, name="News", recipients=["Ann@example.com"], sent_at=moment(9))
    await publish_events(harness, newest, mailing("m1", 1, name="Old", subject="Hello"), newest)

    async def named() -> list[tuple[Any, ...]]:
        rows = await harness.fetch("actions", "SELECT name, subject, sent_at, first_seen, last_seen FROM mailings")
        return [tuple(row) for row in rows]

    await eventually(named, lambda seen: seen == [("News", "Hello", moment(9), moment(1), moment(3))])
    rows = await harness.fetch("actions", "SELECT address, status FROM recipients")
    assert [tuple(row) for row in rows] == [("ann@example.com", "ready")]


async def test_who_was_erased_is_planned_only_by_what_is_newer(pool: Pool) -> None:
    await apply(pool, erased(1, 5))
    await apply(pool, mailing("m1", 4, recipients=["u1@example.com", "u2@example.com"]))
    assert [row["address"] for row in await pool.fetch("SELECT address FROM recipients")] == ["u2@example.com"]
    await apply(pool, mailing("m1", 6, recipients=["u1@example.com"]))
    assert await pool.fetchval("SELECT count(*) FROM recipients") == 2


async def test_the_owner_of_an_address_follows_whatever_changes(pool: Pool) -> None:
    async def owner() -> Any:
        row = await pool.fetchrow(
            "SELECT contact, name, company FROM owners WHERE tenant = $1 AND address = 'a@x.no'", TENANT
        )
        return tuple(row) if row else None

    await apply(pool, contact_upsert("c1", 1, name="Ann", addresses=["b@x.no", "a@x.no"]))
    assert await owner() == ("c1", "Ann", None)
    await apply(pool, contact_upsert("c2", 1, name="Bob", addresses=["a@x.no"]))
    assert await owner() == ("c2", "Bob", None), "whose main address it is"
    await apply(pool, contact_upsert("c2", 2, company="X", former_employee=True))
    assert await owner() == ("c1", "Ann", None), "who has left owns it last"
    await apply(pool, contact_upsert("c1", 2, name="Anne", company="Y"))
    assert await owner() == ("c1", "Anne", "Y")
    await apply(pool, contact_upsert("c1", 3, addresses=["b@x.no"]))
    assert await owner() == ("c2", "Bob", "X")
    await apply(pool, contact_upsert("c2", 3, addresses=[]))
    assert await owner() is None
