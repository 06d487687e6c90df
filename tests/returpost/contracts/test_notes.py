"""What stays when an address is erased holds none."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from returpost.contracts import BlockClear, BlockSet, MailingUpsert, SelectionUpsert
from returpost.contracts.addresses import HIDDEN, hide_addresses

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("written", ["ann@example.com", "<ann@example.com>", '"ann b"@example.com', "mailto:ann@x.no"])
def test_notes_and_names_hide_addresses(written: str) -> None:
    values = {"note": f"asked by {written}", "addresses": ["bob@example.com"], "time": NOW, "by": "test"}
    for note in (BlockSet.model_validate(values).note, BlockClear.model_validate(values).note):
        assert "ann" not in note
        assert HIDDEN in note
    named = MailingUpsert.model_validate({"mailing": "m", "name": f"to {written}", "time": NOW})
    listed = SelectionUpsert.model_validate({"selection": "s", "name": f"to {written}", "time": NOW})
    assert (named.name, listed.name) == (f"to {HIDDEN}",) * 2


@given(st.text())
def test_nothing_with_an_at_sign_is_left_and_twice_is_as_once(text: str) -> None:
    hidden = hide_addresses(text)
    assert "@" not in hidden
    assert hide_addresses(hidden) == hidden
