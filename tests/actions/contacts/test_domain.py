"""What is known of a contact is a function of what was told, not of the order of telling."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, strategies as st

from returpost.contracts import ContactUpsert
from services.actions.contacts.domain import Contact, merge
from tests.actions.builders import moment


def tell(minute: int, **values: Any) -> ContactUpsert:
    return ContactUpsert(contact="c1", time=moment(minute), **values)


def known(*all_told: ContactUpsert) -> Contact:
    contact = Contact()
    for one in all_told:
        contact = merge(contact, one)
    return contact


def test_what_is_left_out_stays_and_what_is_newer_wins() -> None:
    contact = known(
        tell(2, name="Ann", addresses=["a@x.no"]),
        tell(1, name="An", company="X AS"),
        tell(3, company="Y AS"),
        tell(0, addresses=["old@x.no"], company="Z"),
    )
    assert (contact.name, contact.name_at) == ("Ann", moment(2))
    assert (contact.company, contact.company_at) == ("Y AS", moment(3))
    assert (contact.addresses, contact.addresses_at) == (("a@x.no",), moment(2))


def test_no_addresses_is_something_that_can_be_told() -> None:
    assert known(tell(1, addresses=["a@x.no"]), tell(2, addresses=[])).addresses == ()


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        (["a@x.no", "b@x.no", "A@x.no"], ("a@x.no", "b@x.no")),
        (["A@x.no", "a@x.no"], ("A@x.no",)),
        (["b@x.no", "a@X.NO", "a@x.no", "c@x.no"], ("b@x.no", "a@x.no", "c@x.no")),
    ],
)
def test_an_address_is_kept_where_it_comes_first(given_: list[str], kept: tuple[str, ...]) -> None:
    assert known(tell(1, addresses=given_)).addresses == kept


NAMES = st.none() | st.sampled_from(["Ann", "Bo", ""])
ADDRESSES = st.none() | st.lists(st.sampled_from(["a@x.no", "A@x.no", "b@x.no", "c@x.no"]), max_size=3)
TOLD = st.builds(tell, st.integers(0, 3), name=NAMES, company=NAMES, addresses=ADDRESSES)


@given(st.data(), st.lists(TOLD, max_size=6))
def test_order_and_repeats_do_not_matter(data: st.DataObject, all_told: Sequence[ContactUpsert]) -> None:
    again = data.draw(st.permutations([*all_told, *all_told[:3]]))
    assert known(*again) == known(*all_told)
