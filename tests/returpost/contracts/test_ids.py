"""Derived ids: RFC 9562, and the same input the same id."""

from datetime import UTC, datetime
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from hypothesis import given, strategies as st

from returpost.contracts import ids


@given(st.uuids(), st.text(max_size=40), st.integers(0, 9))
def test_a_derived_id_is_a_uuid5_of_its_cause(cause: UUID, type_: str, n: int) -> None:
    type_ = type_.encode("utf-8", "replace").decode()
    found = ids.derived(str(cause), type_, n)
    assert found == str(uuid5(cause, f"{type_}\x1f{n}"))
    assert UUID(found).version == 5


@pytest.mark.parametrize("cause", ["not a uuid", "", "42", "æøå", str(uuid5(NAMESPACE_URL, "x"))[:-1]])
def test_any_cause_will_do(cause: str) -> None:
    assert UUID(ids.derived(cause, "t")).version == 5
    assert ids.derived(cause, "t") == ids.derived(cause, "t") != ids.derived(cause, "t", 1)


def test_parts_are_kept_apart() -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    assert ids.of_content("a", "bc", moment) != ids.of_content("ab", "c", moment)
    assert ids.of_content("a", None) == ids.of_content("a", "")
    assert ids.of_input("t", "s", "1") != ids.of_input("t", "s1", "") != ids.of_content("t", "s", "1")
    assert ids.of_bytes("t", b"x") != ids.of_bytes("u", b"x")
