"""A pool that resets nothing: what its connections leave, and what they cannot leave."""

import pytest

from shared.database.pool import open_pool
from tests.support.harness import left_behind

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.mark.parametrize(
    ("statement", "left"),
    [
        ("SET work_mem = '1MB'", "setting work_mem"),
        ("SELECT set_config('work_mem', '1MB', false)", "setting work_mem"),
        ("SELECT pg_advisory_lock(1)", "lock"),
        ("LISTEN news", "listening"),
        ("CREATE TEMPORARY TABLE mine ()", "table mine"),
        ("DECLARE mine CURSOR WITH HOLD FOR SELECT 1", "cursor mine"),
    ],
)
async def test_what_outlives_a_transaction_is_seen(database: str, statement: str, left: str) -> None:
    """No service does any of it: each that runs in a test is looked at when it stops."""
    async with await open_pool(database, "actions", size=2) as pool:
        await pool.execute(statement)
        assert await left_behind(pool) == [left]


async def test_a_transaction_that_is_left_open_leaves_nothing(database: str) -> None:
    async with await open_pool(database, "actions", size=2) as pool:
        async with pool.acquire() as connection:
            await connection.execute("BEGIN; SET LOCAL work_mem = '1MB'; CREATE TABLE mine ()")
            await connection.execute("SELECT pg_advisory_xact_lock(1)")
        assert await left_behind(pool) == []
        assert await pool.fetchval("SELECT to_regclass('mine')") is None
