"""Editing and exporting dead letters."""

import csv
import io
import json
from base64 import b64decode

import pytest
from hypothesis import given, strategies as st

from returpost.contracts.cloudevents import encode
from returpost.errors import InvalidMessage
from services.replay.app import create
from services.replay.domain.edit import difference, edited_event
from services.replay.settings import Settings
from tests.replay.consumers import publish_dead_letters, recorded
from tests.replay.test_outcomes import get, kept
from tests.support.harness import Harness

RAW, _ = encode([recorded(1)])


def body(**changes: object) -> bytes:
    return json.dumps(json.loads(RAW) | changes).encode()


def test_edited_event_has_an_id_of_its_own_and_of_its_content() -> None:
    first, again, other = (edited_event("i", body(subject=subject)) for subject in ("a", "a", "b"))
    assert first == again
    assert len({json.loads(one)["id"] for one in (first, other, body())}) == 3


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"{", "not JSON"),
        (b"[]", "not one event"),
        (b'{"type": "x"}', "type: unknown"),
        (body(data={}), "data.mailing"),
        (body(tenant="Not a name"), "tenant"),
    ],
)
def test_edit_is_checked_against_the_contract(raw: bytes, problem: str) -> None:
    with pytest.raises(InvalidMessage, match=problem):
        edited_event("i", raw)


@given(st.binary(), st.binary())
def test_difference_is_empty_for_the_same_alone(one: bytes, other: bytes) -> None:
    assert difference(one, one) == []
    assert all(isinstance(line, str) for line in difference(one, other))


@pytest.mark.anyio
@pytest.mark.services
async def test_edit_and_export(harness: Harness) -> None:
    async with harness.running(create, Settings, "replay") as off:
        await publish_dead_letters(harness, recorded(1), error="=1+1")
        (row,) = await kept(off, 1)
        path = f"/v1/dead-letters/{row['id']}/edit"
        wanted = {"body": body(subject="mended").decode(), "why": "a typing error"}
        assert (await off.http.post(path, json=wanted)).status_code == 409
    async with harness.running(create, Settings, "replay", edit_enabled=True) as replay:
        everybody = replay.http.headers["Authorization"]
        replay.http.headers["Authorization"] = f"Bearer {harness.token(tenant='*', scopes=('operate',))}"
        assert (await replay.http.post(path, json=wanted)).status_code == 403
        replay.http.headers["Authorization"] = everybody
        dry = await replay.http.post(path, json=wanted | {"dry_run": True})
        assert dry.json()["dead_letter"] is None
        assert any("mended" in line for line in dry.json()["difference"])
        foreign = json.loads(wanted["body"]) | {"tenant": "other"}
        assert (await replay.http.post(path, json=wanted | {"body": json.dumps(foreign)})).status_code == 422
        edited = await replay.http.post(path, json=wanted)
        assert edited.status_code == 200, edited.text
        (new,) = await kept(replay, 1)
        assert (new["id"], new["edited_from"]) == (edited.json()["dead_letter"], row["id"])
        assert (await kept(replay, 1, state="edited"))[0]["id"] == row["id"]
        assert (await replay.http.post(path, json=wanted)).status_code == 409
        assert [one["action"] for one in (await get(replay, "/v1/audit"))["items"]] == ["edit"]

        lines = (await replay.http.get("/v1/dead-letters-export", params={"why": "a copy"})).text.splitlines()
        assert b64decode(json.loads(lines[0])["body"]) == edited_event(row["event_id"], wanted["body"].encode())
        table = (await replay.http.get("/v1/dead-letters-export", params={"why": "a copy", "form": "csv"})).text
        (read,) = csv.DictReader(io.StringIO(table))
        assert (read["id"], read["error"]) == (new["id"], "'=1+1")
