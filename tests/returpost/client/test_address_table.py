"""The table of addresses against a plain dictionary."""

from hypothesis import HealthCheck, given, settings, strategies as st

from returpost.client.address_table import FREE, REMEMBERED, AddressTable

NEWS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 50), st.integers(0, 3)), max_size=60)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(NEWS, st.integers(0, 20))
def test_the_highest_version_holds(news: list[tuple[int, int, int]], expected: int) -> None:
    table, plain = AddressTable(expected), dict[str, tuple[int, int]]()
    for n, version, code in news:
        key = f"u{n}@example.com"
        assert table.put(key, version, code) == (version > plain.get(key, (0, 0))[0])
        if version > plain.get(key, (0, 0))[0]:
            plain[key] = (version, code)
    assert {key: table.code(key) for key in plain} == {key: code for key, (_, code) in plain.items()}
    assert len(table) == sum(1 for _, code in plain.values() if code)
    assert sorted(table.codes()) == sorted(code for _, code in plain.values() if code)


def test_it_grows_and_stays_small() -> None:
    table = AddressTable()
    keys = [f"u{n}@example.com" for n in range(100_000)]
    for n, key in enumerate(keys):
        table.put(key, n + 1, 1 + n % 7)
    assert [table.code(key) for key in keys] == [1 + n % 7 for n in range(100_000)]
    assert not any(table.code(f"x{n}@example.com") for n in range(100_000))
    assert len(table.among([f"x{n}@example.com" for n in range(100_000)])) < 10_000
    assert table.among(keys) == list(range(100_000))
    assert table.bytes / len(table) <= 64


def test_what_is_free_is_forgotten_after_a_while_and_what_is_older_than_the_table_stays_outside() -> None:
    table = AddressTable()
    table.put("ann@example.com", REMEMBERED, FREE)
    assert not table.put("ann@example.com", REMEMBERED - 1, 1)
    assert not table.put("bob@example.com", 5, 1, floor=6)
    table.compact(REMEMBERED + 1)
    assert table.put("ann@example.com", REMEMBERED - 1, 1)
    assert len(table) == 1
