"""Commands about contacts and lists, handled in memory: no order, repeat or batching changes what comes of them."""

import random
from typing import Any

import pytest
from hypothesis import given, strategies as st

from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import ListKind
from tests.actions.builders import contact_upsert, moment, selection
from tests.actions.contacts.stores import MemoryStore
from tests.support.harness import TENANT

pytestmark = pytest.mark.anyio


async def handled(store: MemoryStore, *batches: tuple[Event[Any], ...]) -> list[Any]:
    """Handle batches one after another; return the data of the events."""
    found = []
    for batch in batches:
        async with store.begin() as unit:
            found += [event.data for event in await unit.upsert(*batch)]
    return found


async def test_contact_upsert_emits_visible_changes_alone() -> None:
    store = MemoryStore()
    first = contact_upsert("c1", 1, name="Ann", addresses=["a@x.example"])
    (changed,) = await handled(store, (first,))
    assert (changed.contact, changed.name, changed.addresses, changed.version) == ("c1", "Ann", ["a@x.example"], 1)
    assert await handled(store, (first,), (contact_upsert("c1", 2, name="Ann"),)) == []
    changed, suppressed = await handled(store, (contact_upsert("c1", 3, former_employee=True),))
    assert (suppressed.TYPE, suppressed.addresses) == ("returpost.suppression.set.v1", ["a@x.example"])
    assert (changed.former_employee, changed.name, changed.version) == (True, "Ann", 2)


async def test_contact_upsert_drops_addresses_erased_since() -> None:
    store = MemoryStore()
    await store.erase({(TENANT, "a@x.example"): moment(5)})
    late = contact_upsert("c1", 5, addresses=["A@x.example", "b@x.example"])
    (changed,) = await handled(store, (late,))
    assert changed.addresses == ["b@x.example"]
    (changed,) = await handled(store, (contact_upsert("c1", 6, addresses=["A@x.example"]),))
    assert changed.addresses == ["A@x.example"]


async def test_list_upsert_says_who_came_and_went() -> None:
    store = MemoryStore()
    (changed,) = await handled(store, (selection("s", 1, name="Spring", add=["c1", "c2"]),))
    assert (changed.name, changed.added, changed.removed) == ("Spring", ["c1", "c2"], [])
    (changed,) = await handled(store, (selection("s", 2, members=["c2", "c3"]),))
    assert (changed.added, changed.removed) == (["c3"], ["c1"])
    assert await handled(store, (selection("s", 1, add=["c1"]),)) == []
    assert store.sizes[TENANT, ListKind.SELECTION.value, "s"] == 2


async def test_list_upsert_splits_many_members_into_events() -> None:
    members = [f"c{n:05}" for n in range(5_001)]
    first, second = await handled(MemoryStore(), (selection("s", 1, add=members),))
    assert first.added + second.added == members
    assert len(second.added) == 1


CONTACTS = st.builds(
    contact_upsert,
    st.sampled_from(["c1", "c2"]),
    st.integers(0, 3),
    name=st.sampled_from([None, "Ann", "Bob"]),
    addresses=st.sampled_from([None, [], ["a@x.example"], ["b@x.example", "a@x.example"]]),
)
SELECTIONS = st.builds(
    selection,
    st.sampled_from(["s1", "s2"]),
    st.integers(0, 3),
    name=st.sampled_from([None, "Spring", "Autumn"]),
    add=st.lists(st.sampled_from(["c1", "c2"]), max_size=2),
    remove=st.lists(st.sampled_from(["c1", "c2"]), max_size=2),
)


BATCHES = st.one_of(st.lists(CONTACTS, min_size=1, max_size=5), st.lists(SELECTIONS, min_size=1, max_size=5))


@given(BATCHES, st.integers(0, 1_000), st.integers(1, 3))
async def test_order_and_batches_do_not_matter(events: list[Event[Any]], seed: int, size: int) -> None:
    whole, parts = MemoryStore(), MemoryStore()
    await handled(whole, tuple(events))
    shuffled = [*events, events[0]]
    random.Random(seed).shuffle(shuffled)
    await handled(parts, *(tuple(shuffled[n : n + size]) for n in range(0, len(shuffled), size)))
    assert _state(parts) == _state(whole)


def _state(store: MemoryStore) -> Any:
    """Return everything but versions, which count the visible changes on the way."""
    contacts = {place: (c.name, c.addresses, c.former_employee) for place, c in store.contacts.items()}
    lists = {place: (one.name, one.deleted, store.sizes.get(place, 0)) for place, one in store.lists.items()}
    return contacts, lists, {place for place, one in store.members.items() if one.member}
