"""The contract of the repositories of contacts and lists, held by those in memory and by those in PostgreSQL."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from returpost.contracts.enums import ListKind
from services.actions.contacts.domain import Contact
from services.actions.contacts.lists.domain import List, MemberKey, Membership
from shared.database.pool import connect
from tests.actions.builders import moment
from tests.actions.contacts.stores import MemoryStore, PostgresStore, Store
from tests.support.harness import TENANT

pytestmark = pytest.mark.anyio

ANN, BOB = (TENANT, "ann"), (TENANT, "bob")
A, B = (TENANT, "a"), (TENANT, "b")
KIND = ListKind.PROJECT


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.services)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    pool = await connect(request.getfixturevalue("database"), "actions", size=2)
    yield PostgresStore(pool)
    await pool.close()


async def contacts_in(store: Store, *places: tuple[str, str]) -> list[Contact]:
    async with store.begin() as unit:
        found = await unit.contacts.lock_or_create(sorted(places))
        return [found[place] for place in places]


async def test_unknown_contacts_are_empty(store: Store) -> None:
    assert await contacts_in(store, ANN, BOB) == [Contact(), Contact()]


async def test_saved_contacts_are_read_back(store: Store) -> None:
    ann = Contact(
        "Ann",
        moment(1),
        "X AS",
        moment(2),
        "7",
        moment(3),
        True,
        moment(4),
        ("b@x.example", "A@x.example"),
        moment(5),
        2,
    )
    bob = Contact(name="Bob", name_at=moment(1), addresses=("A@x.example",), addresses_at=moment(1), version=1)
    async with store.begin() as unit:
        before = await unit.contacts.lock_or_create([ANN, BOB])
        await unit.contacts.save({ANN: ann, BOB: bob}, before)
    assert await contacts_in(store, ANN, BOB, (TENANT, "c"), ("other", "ann")) == [ann, bob, Contact(), Contact()]
    moved = replace(ann, addresses=("c@x.example", "b@x.example"), version=3)
    async with store.begin() as unit:
        before = await unit.contacts.lock_or_create([ANN, BOB])
        await unit.contacts.save({ANN: moved}, before)
    assert await contacts_in(store, ANN, BOB) == [moved, bob]


async def test_a_failed_unit_of_work_leaves_nothing(store: Store) -> None:
    async def fail() -> None:
        async with store.begin() as unit:
            before = await unit.contacts.lock_or_create([ANN])
            await unit.contacts.save({ANN: Contact(name="Ann", version=1)}, before)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await contacts_in(store, ANN) == [Contact()]


async def test_erasures_are_known_by_tenant_and_address(store: Store) -> None:
    place = (TENANT, "a@x.example")
    async with store.begin() as unit:
        assert await unit.contacts.erased_at([place]) == {}
    await store.erase({place: moment(3)})
    async with store.begin() as unit:
        asked = [place, ("other", "a@x.example"), (TENANT, "b@x.example"), place]
        assert await unit.contacts.erased_at(asked) == {place: moment(3)}


async def test_saved_lists_are_read_back_by_kind(store: Store) -> None:
    value = List("Spring", moment(1), True, moment(2), moment(3), 4)
    async with store.begin() as unit:
        assert await unit.lists.lock_or_create(KIND, [A, B]) == {A: List(), B: List()}
        await unit.lists.save(KIND, {A: value}, {A: 2})
    async with store.begin() as unit:
        assert await unit.lists.lock_or_create(KIND, [A, B]) == {A: value, B: List()}
        assert await unit.lists.lock_or_create(ListKind.SELECTION, [A]) == {A: List()}


async def applied(
    store: Store, memberships: dict[MemberKey, Membership], replaced: dict[tuple[str, str], List] | None = None
) -> list[tuple[MemberKey, bool]]:
    async with store.begin() as unit:
        await unit.lists.lock_or_create(KIND, [A, B])
        return sorted(await unit.lists.apply_memberships(KIND, memberships, replaced or {}))


async def test_newer_memberships_are_applied_alone(store: Store) -> None:
    one, two = (*A, "c1"), (*A, "c2")
    assert await applied(store, {one: Membership(moment(2), True), two: Membership(moment(2), False)}) == [(one, True)]
    assert await applied(store, {one: Membership(moment(1), False), two: Membership(moment(2), True)}) == [(two, True)]
    assert await applied(store, {one: Membership(moment(2), False)}) == []
    assert await applied(store, {one: Membership(moment(3), True)}) == []
    assert await applied(store, {one: Membership(moment(4), False)}) == [(one, False)]


async def test_a_full_member_list_ends_older_memberships(store: Store) -> None:
    old, new, elsewhere = (*A, "old"), (*A, "new"), (*B, "old")
    first = {one: Membership(moment(1), True) for one in (old, elsewhere)}
    assert await applied(store, first) == [(old, True), (elsewhere, True)]
    replaced = {A: List(members_at=moment(2))}
    assert await applied(store, {new: Membership(moment(2), True)}, replaced) == [(new, True), (old, False)]
    assert await applied(store, {}, replaced) == []
