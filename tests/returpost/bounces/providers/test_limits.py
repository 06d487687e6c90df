"""A body of a provider is bounded by how many events and values it has; what is more is kept whole."""

import tracemalloc

import pytest

from returpost.bounces.providers import PROVIDERS, Unreadable, normalize
from returpost.bounces.providers.payload import MAX_EVENTS, MAX_VALUES


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
@pytest.mark.parametrize("part", [b"{}", b"[]", b"1", b'{"a":[[],[]]}'])
def test_a_body_of_very_many_events_is_one_that_is_kept(provider: str, part: bytes) -> None:
    body = b"[" + b",".join([part] * (900_000 // (len(part) + 1))) + b"]"
    tracemalloc.start()
    items = list(normalize(provider, body))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(items) <= MAX_EVENTS
    assert all(isinstance(item, Unreadable) for item in items)
    assert peak < 60_000_000


def test_as_many_events_as_are_allowed_are_read_one_by_one() -> None:
    assert len(list(normalize("sendgrid", b"[" + b",".join([b"{}"] * MAX_EVENTS) + b"]"))) == MAX_EVENTS
    (whole,) = normalize("sendgrid", b"[{" + b'"a":[' + b"[]," * MAX_VALUES + b"[]]}]")
    assert isinstance(whole, Unreadable)
    assert "values" in whole.error
