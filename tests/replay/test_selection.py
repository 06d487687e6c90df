"""What an operator selects."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from returpost.amqp.publisher import MAX_BYTES
from returpost.contracts.routing import routing_key
from services.replay.domain.archive_selection import ArchiveFilter, ArchiveSelection, KeptSelection, time_of
from services.replay.domain.selection import DeadLetterSelection
from services.replay.runner.archive import _batches
from shared.messaging.topology import binding_matches

START = datetime(2026, 1, 2, tzinfo=UTC)
RECORDED = "returpost.delivery.recorded.v1"
SELECTION = {
    "type": RECORDED,
    "since": START,
    "until": START + timedelta(hours=1),
    "into": "actions.delivery-recorded",
}


@pytest.mark.parametrize(
    ("pattern", "key", "taken"),
    [
        ("a.b.*", "a.b.acme", True),
        ("a.b.*", "a.b", False),
        ("a.b.*", "a.b.acme.c", False),
        ("a.b.#", "a.b", True),
        ("a.b.#", "a.b.acme.c", True),
        ("a.b.#", "a.c.acme", False),
        ("#", "a.b.c", True),
        ("a.b.*.c", "a.b.acme.c", True),
        ("a.b.*.c", "a.b.acme.d", False),
    ],
)
def test_bindings(pattern: str, key: str, taken: bool) -> None:
    assert binding_matches(pattern, key) is taken


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "specify at least one"),
        ({"all": False}, "specify at least one"),
        ({"queue": "q\x00"}, "queue"),
        ({"since": "2026-01-02T03:04:05"}, "since"),
        ({"ids": ["1"]}, "ids"),
        ({"everything": True}, "everything"),
    ],
)
def test_dead_letter_selection_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        DeadLetterSelection.model_validate(given)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"until": START}, "before until"),
        ({"into": "no.such-queue"}, "no such queue"),
        ({"into": "actions.bounce-classified"}, "does not take"),
        ({"into": "replay.dead-letters"}, "does not take"),
        ({"into": "ingest.delivery-result"}, "does not take"),
        ({"type": "returpost.block.clear.v1", "into": "blocklist.block-clear"}, "does not take"),
        ({"type": "delivery.recorded"}, "type"),
        ({"tenant": "Not a name"}, "tenant"),
        ({"since": datetime(2026, 1, 1)}, "since"),  # noqa: DTZ001 - that is what is wrong with it
    ],
)
def test_archive_selection_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        ArchiveSelection.model_validate(SELECTION | changes)


@pytest.mark.parametrize(
    ("changes", "tenant", "wanted"),
    [
        ({}, None, True),
        ({}, "acme", True),
        ({}, "other", False),
        ({"time": (START + timedelta(hours=1)).isoformat()}, None, False),
        ({"time": "2026-01-02T02:00:00+02:00"}, None, True),
        ({"time": "2026-01-02T00:00:00+02:00"}, None, False),
        ({"time": "2026-01-02T00:00:00"}, None, False),
        ({"time": 7}, None, False),
        ({"time": None}, None, False),
        ({"type": "returpost.bounce.classified.v1"}, None, False),
    ],
)
def test_which_events_are_meant(changes: dict[str, Any], tenant: str | None, wanted: bool) -> None:
    selection = ArchiveSelection.model_validate(SELECTION | {"tenant": tenant})
    event = {"type": RECORDED, "time": START.isoformat(), "tenant": "acme"} | changes
    assert selection.matches(event, routing_key(RECORDED, "acme", "sent")) is wanted


TOLD = {
    "type": RECORDED, "id": "e1", "time": START.isoformat(), "tenant": "acme",
    "data": {"mailing": "m1", "address": "Ann@example.com"},
}  # fmt: skip
FIND = {"since": START, "until": START + timedelta(hours=1)}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, True), ({"type": RECORDED}, True), ({"type": "returpost.bounce.received.v1"}, False),
        ({"mailing": "m1"}, True), ({"mailing": "m"}, False), ({"event": "e1"}, True), ({"event": "e"}, False),
        ({"address": "ANN@example.com"}, True), ({"address": "bo@example.com"}, False),
        ({"mailing": "m1", "address": "ann@example.com", "tenant": "acme"}, True),
        ({"mailing": "m2", "address": "ann@example.com"}, False), ({"tenant": "other"}, False),
    ],
)  # fmt: skip
def test_what_a_filter_finds(wanted: dict[str, str], found: bool) -> None:
    filter_ = ArchiveFilter.model_validate(FIND | wanted)
    assert filter_.matches(TOLD, "delivery.recorded.acme.sent", filter_.address_test(())) is found
    needle = filter_.needle()
    assert not found or needle is None or needle in json.dumps(TOLD).lower().encode()


def test_an_event_that_names_a_tenant_which_it_was_not_published_for_is_nobodys() -> None:
    for tenant in ("acme", "other"):
        filter_ = ArchiveFilter.model_validate(FIND | {"tenant": tenant})
        assert not filter_.matches(TOLD, "delivery.recorded.other.sent")


def test_a_job_keeps_no_address_and_knows_it_by_an_older_key_too() -> None:
    asked = ArchiveSelection.model_validate(SELECTION | {"address": "ann@example.com"})
    text = KeptSelection.of(asked, "old key").model_dump_json()
    assert "ann@" not in text.lower()
    kept = KeptSelection.model_validate_json(text)
    is_address = kept.address_test(["new key", "old key"])
    assert is_address is not None
    assert (is_address("ANN@example.com"), is_address("bo@example.com")) == (True, False)
    assert kept.matches(TOLD, "delivery.recorded.acme.sent", is_address)
    stranger = kept.address_test(["new key"])
    assert stranger is not None
    assert not stranger("ann@example.com")
    assert KeptSelection.model_validate(SELECTION).address_test(["k"]) is None


@pytest.mark.parametrize(
    ("into", "taken"),
    [
        ("actions.delivery-recorded", {"sent", "delivered", "complained", "bounced"}),
        ("blocklist.delivery-recorded", {"delivered", "complained"}),
        ("classifier.delivery-recorded", {"delivered"}),
    ],
)
def test_a_queue_gets_no_more_than_it_was_bound_to(into: str, taken: set[str]) -> None:
    selection = ArchiveSelection.model_validate(SELECTION | {"into": into})
    event = {"type": RECORDED, "time": START.isoformat(), "tenant": "acme"}
    results = ("sent", "delivered", "complained", "bounced")
    assert {one for one in results if selection.matches(event, routing_key(RECORDED, "acme", one))} == taken


def test_events_without_a_time_of_their_own_have_none() -> None:
    assert time_of({}) is None
    assert time_of({"time": "0001-01-01T00:00:00+14:00"}) is None


def test_events_go_in_messages_of_a_bounded_size() -> None:
    events: list[dict[str, Any]] = [{"n": n, "text": "\ud800" + "x" * 1_000} for n in range(1_100)]
    batches = _batches(events, "k", "q")
    assert all(len(one.body) <= MAX_BYTES for one in batches)
    assert len(batches) > 4
    assert len(_batches([{"text": "x" * 2 * MAX_BYTES}], "k", "q")) == 1
