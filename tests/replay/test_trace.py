"""What happened to an address, a mailing or an event, out of the archive, with what each event follows from."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, strategies as st

from returpost.cli.operate.trace import kind_of
from returpost.contracts import AddressBlocked, BounceClassified, BounceReceived, Contract, ids
from returpost.contracts.cloudevents import Event, event
from services.replay.app import create
from services.replay.domain.trace import Arrivals, QueueState, Subject, linked, step_of, with_dead_letters
from services.replay.settings import Settings
from tests.replay.consumers import publish_dead_letters
from tests.support.harness import TENANT, Harness, RunningService, eventually

ADDRESS = "Ann@example.com"
NOW = datetime.now(UTC).replace(microsecond=0)
VERDICT = {
    "type": "hard", "reason": "user_unknown", "fault": "recipient", "confidence": 0.9, "dead_address": True,
    "rule": "r1", "text": "no such user ann@example.com",
}  # fmt: skip


def made(contract: type[Contract], identity: str, tenant: str = TENANT, **values: Any) -> Event[Any]:
    return event(contract.model_validate({"time": NOW, **values}), id=identity, source="/test", tenant=tenant)


def chain(address: str = ADDRESS, mailing: str = "m1", tenant: str = TENANT) -> list[Event[Any]]:
    """A bounce, its verdict, and the block that came of it, with ids as the services derive them."""
    about = {"address": address, "mailing": mailing, "sender": "news"}
    received = made(
        BounceReceived, ids.of_content(tenant, address, mailing), tenant, evidence={"diagnostic": address}, **about
    )
    verdict = ids.derived(received.id, BounceClassified.TYPE)
    classified = made(BounceClassified, verdict, tenant, verdict=VERDICT, attempt=1, **about)
    block = ids.derived(verdict, f"{AddressBlocked.TYPE} {address.lower()}", 4)
    blocked = made(
        AddressBlocked, block, tenant, address=address, version=4, cause="dead_address", reason="user_unknown",
        return_count=1, by="blocklist",
    )  # fmt: skip
    return [received, classified, blocked]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ann@example.com", "address"), ("2026-11", "mailing"), ("1b7f0f4e-0000-4000-8000-000000000000", "event"),
        ("1b7f0f4e", "mailing"),
    ],
)  # fmt: skip
def test_a_subject_is_told_by_its_form(text: str, kind: str) -> None:
    assert kind_of(text, mailing=False) == kind
    assert kind_of(text, mailing=True) == "mailing"


@given(st.text(min_size=1, max_size=20))
def test_a_needle_never_hides_a_match(mailing: str) -> None:
    """Whatever a mailing is called: a message about it has the needle, or there is none."""
    one = {"id": "1", "data": {"mailing": mailing}}
    needle = Subject(mailing=mailing).needle()
    for body in (json.dumps(one), json.dumps(one, ensure_ascii=False)):
        assert needle is None or needle in body.encode("utf-8", "surrogatepass").lower()
    assert Subject(mailing=mailing).matches(one)


def test_a_step_says_how_long_it_took_from_the_one_before() -> None:
    """Queue and service together; of a clock that is behind nothing is said."""
    events = [json.loads(one.model_dump_json()) for one in chain()]
    at = [NOW, NOW + timedelta(seconds=2.5), NOW + timedelta(seconds=1)]
    steps = linked([step_of(one, moment, n) for n, (one, moment) in enumerate(zip(events, at, strict=True))])
    assert [step.seconds for step in steps] == [None, 2.5, 0.0]
    assert [step.cause for step in steps] == [None, steps[0].id, steps[1].id]


@given(st.integers(0, 20), st.integers(0, 20))
def test_a_message_waits_when_more_wait_than_came_after_it(came: int, taken: int) -> None:
    """Whatever of a queue was taken: those before are taken, and each of the others has those between before it."""
    taken = min(came, taken)
    arrivals, queue = Arrivals(), "classifier.bounce-received"
    numbers = []
    for _ in range(came):
        numbers.append(arrivals.add(f"bounce.received.{TENANT}"))
        arrivals.add(f"bounce.classified.{TENANT}")
    for n, number in enumerate(numbers):
        (state,) = arrivals.states(number, {queue: came - taken}, complete=True)
        assert (state.state, state.ahead) == (("taken", None) if n < taken else ("waiting", n - taken))
        unread = arrivals.states(number, {queue: came - taken}, complete=False)
        assert [one.state for one in unread] == (["taken"] if came == taken else ["unknown"])
        assert arrivals.states(number, {queue: None}, complete=True) == (), "there is no such queue"


def test_a_dead_letter_says_where_an_event_is() -> None:
    step = step_of(json.loads(chain()[1].model_dump_json()), NOW, 1)
    assert not step.for_webhooks
    assert step_of(json.loads(chain()[2].model_dump_json()), NOW, 1).for_webhooks
    letter, other = UUID(int=1), QueueState("blocklist.bounce-classified", "taken")
    step = replace(step, queues=(QueueState("actions.bounce-classified", "taken"), other))
    died = QueueState("actions.bounce-classified", "dead", dead_letter=letter)
    assert with_dead_letters(step, [died]).queues == (died, other)


@pytest.fixture
async def replay(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "replay") as running:
        yield running


async def trace(replay: RunningService, **wanted: Any) -> dict[str, Any]:
    answer = await replay.http.post("/v1/trace", json={"why": "ticket 4711"} | wanted)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def states(step: dict[str, Any]) -> dict[str, tuple[str, int | None]]:
    return {one["queue"]: (one["state"], one["ahead"]) for one in step["queues"]}


def of(found: dict[str, Any]) -> list[str]:
    return [step["id"] for step in found["steps"]]


@pytest.mark.anyio
@pytest.mark.services
async def test_a_trace_leads_from_the_bounce_to_the_block(harness: Harness, replay: RunningService) -> None:
    mine, other = chain(), chain("bo@example.com", "m2")
    foreign = chain(tenant="other")
    for one in (*mine, *other, *foreign):
        await harness.send(one)
    await publish_dead_letters(harness, mine[1], queue="actions.bounce-classified", key=f"bounce.classified.{TENANT}")

    async def by_address() -> dict[str, Any]:
        return await trace(replay, address="ANN@example.com")

    found = await eventually(by_address, lambda seen: len(seen["steps"]) == 6 and len(seen["dead_letters"]) == 1)
    assert of(found) == [one.id for one in (*mine, *foreign)], "in the order of the archive"
    assert [step["cause"] for step in found["steps"][:3]] == [None, mine[0].id, mine[1].id]
    assert found["steps"][1]["facts"] == {
        "sender": "news", "attempt": "1", "verdict.type": "hard", "verdict.reason": "user_unknown",
        "verdict.fault": "recipient", "verdict.rule": "r1", "verdict.confidence": "0.9",
    }  # fmt: skip
    assert "no such user" not in str(found["steps"]), "no text of others"
    assert found["complete"]
    (died,) = found["dead_letters"]
    assert (died["event_id"], died["queue"], died["state"]) == (mine[1].id, "actions.bounce-classified", "dead")
    assert states(found["steps"][0]) == {"classifier.bounce-received": ("waiting", 0)}, "nobody consumes here"
    assert states(found["steps"][3]) == {"classifier.bounce-received": ("waiting", 2)}
    where = states(found["steps"][1])
    assert where == {"blocklist.bounce-classified": ("waiting", 0), "actions.bounce-classified": ("dead", None)}
    await (await harness.channel.get_queue("classifier.bounce-received")).get(no_ack=True)
    found = await eventually(by_address, lambda seen: states(seen["steps"][3])["classifier.bounce-received"][1] == 1)
    assert states(found["steps"][0]) == {"classifier.bounce-received": ("taken", None)}

    assert of(await trace(replay, mailing="m2")) == [one.id for one in other[:2]]
    assert of(await trace(replay, event=mine[0].id)) == [one.id for one in mine], "with what followed from it"
    assert of(await trace(replay, address=ADDRESS, since=(NOW + timedelta(hours=1)).isoformat())) == []
    assert (await replay.http.post("/v1/trace", json={"address": ADDRESS})).status_code == 422
    both = {"address": ADDRESS, "mailing": "m1", "why": "ticket"}
    assert (await replay.http.post("/v1/trace", json=both)).status_code == 422

    replay.http.headers["Authorization"] = f"Bearer {harness.token()}"
    assert of(await trace(replay, address=ADDRESS)) == [one.id for one in mine], "an operator of one tenant"
    (entry, *_) = (await replay.http.get("/v1/audit")).json()["items"]
    assert (entry["action"], entry["target"], entry["why"]) == ("trace", "address", "ticket 4711")
