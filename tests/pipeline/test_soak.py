"""What the soak calls flat: levels that stay, and as many bytes for each result as before."""

import copy

import pytest
from hypothesis import given, strategies as st

from bench.load.timelines import picture
from bench.soak import SMALL, Findings, judge

LOOKS = 30


def findings(**lines: list[float]) -> Findings:
    flat = {quantity: {"ingest": [100.0] * LOOKS} for quantity in SMALL}
    found = Findings(5, at=[n / 6 for n in range(LOOKS)], samples=copy.deepcopy(flat))
    found.samples["sizes"] = {"tables": [float(n) for n in range(LOOKS)]}
    for quantity, values in lines.items():
        found.samples[quantity] = {"ingest": values}
    return found


def grown(found: Findings, sent: list[int] | None = None) -> list[str]:
    judge(found, sent or [1_000 * n for n in range(LOOKS)])
    return found.grown


@given(st.lists(st.floats(95, 105), min_size=LOOKS, max_size=LOOKS))
def test_a_level_that_wavers_is_flat(values: list[float]) -> None:
    assert grown(findings(memory=values)) == []


@given(st.floats(0, 1_000), st.floats(20, 500))
def test_a_level_that_rises_for_ever_is_not(first: float, each: float) -> None:
    assert len(grown(findings(memory=[first + each * n * max(1, first / 100) for n in range(LOOKS)]))) == 1


def test_what_rises_at_the_beginning_alone_is_flat() -> None:
    assert grown(findings(memory=[50.0 + 50 * min(n, 9) for n in range(LOOKS)])) == []


@pytest.mark.parametrize(("each", "number"), [(1.0, 0), (1.05, 0), (1.3, 1)])
def test_tables_may_grow_with_the_results_and_no_faster(each: float, number: int) -> None:
    sizes, size = [], 0.0
    for n in range(LOOKS):
        size += 1.0 if n < 2 * LOOKS // 3 else each
        sizes.append(size)
    found = findings()
    found.samples["sizes"] = {"tables": sizes}
    assert len(grown(found)) == number


def test_too_few_looks_are_not_judged() -> None:
    assert grown(Findings(1, at=[0.0, 0.1]), [0, 1]) == []


def test_a_picture_has_a_line_for_each_name() -> None:
    drawn = picture([0, 1, 2], {"memory": {"a": [1, 2, 3], "b & c": [0, 0, 0]}, "handles": {}})
    assert drawn.count("<polyline") == 2
    assert "b &amp; c" in drawn
