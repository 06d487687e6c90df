"""A webhook that is posted twice makes the same ids, whoever posts it, and other events make others."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from returpost.bounces.events.payloads import events_of_normalized
from returpost.bounces.providers import PROVIDERS, NormalizedResult, normalize
from tests.returpost.bounces.test_fuzz import BODIES


def ids_of(provider: str, payload: Any, tenant: str = "acme", **layout: Any) -> list[str]:
    """Return the ids of all that follows from a request, in the order in which it is told."""
    body = json.dumps(payload, **layout)
    if provider == "mandrill":
        body = urlencode({"mandrill_events": body})
    return [
        one.id
        for found in normalize(provider, body.encode())
        if isinstance(found, NormalizedResult)
        for one in events_of_normalized(found, tenant=tenant, sender=None)
    ]


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_a_repeat_has_the_same_ids(provider: str) -> None:
    first = ids_of(provider, BODIES[provider])
    assert len(first) == len(set(first)) == 2  # the result, and the bounce
    assert ids_of(provider, BODIES[provider]) == first
    assert ids_of(provider, BODIES[provider], indent=2) == first
    assert set(first).isdisjoint(ids_of(provider, BODIES[provider], tenant="other"))


@pytest.mark.parametrize("provider", ["sendgrid", "sparkpost", "mailjet", "mandrill"])
def test_a_repeat_in_another_batch_has_the_same_ids(provider: str) -> None:
    (event,) = BODIES[provider]
    alone = ids_of(provider, [event])
    assert len(alone) == 2
    assert ids_of(provider, [event, event]) == 2 * alone


def test_sendgrid_may_give_an_event_another_id_of_its_own() -> None:
    (event,) = BODIES["sendgrid"]
    assert ids_of("sendgrid", [event | {"sg_event_id": "one"}]) == ids_of("sendgrid", [event | {"sg_event_id": "two"}])
