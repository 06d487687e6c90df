"""Durations as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given, strategies as st
from pydantic import TypeAdapter, ValidationError

from services.classifier.domain.durations import MAX_DURATION, Durations, format_duration, parse_duration

ADAPTER: TypeAdapter[tuple[timedelta, ...]] = TypeAdapter(Durations)


@given(st.integers(0, int(MAX_DURATION.total_seconds())))
def test_what_is_written_is_read_alike(seconds: int) -> None:
    length = timedelta(seconds=seconds)
    assert parse_duration(format_duration(length)) == length


@pytest.mark.parametrize(("given", "lengths"), [("5m,30m", [5, 30]), (["90s", "2h"], [1.5, 120]), ("", []), ([], [])])
def test_lists(given: object, lengths: list[float]) -> None:
    read = ADAPTER.validate_python(given)
    assert [length.total_seconds() / 60 for length in read] == lengths
    assert ADAPTER.validate_json(ADAPTER.dump_json(read)) == read


@pytest.mark.parametrize("wrong", ["5", "m", "5 minutes", "-5m", "31d", "1e999d", ["5m", "x"], 5])
def test_what_is_no_duration_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(wrong)
