"""What the benchmark of the blocklist is filled with, and how quickly: the indexes are made when all rows are there."""

import asyncpg

TENANT = "bench"
BLOCKED = 5
"""One in so many is blocked."""
_MEMORY = "1GB"
_INDEXES = """
    SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition, i.indisprimary AS main
    FROM pg_index AS i WHERE i.indrelid = 'blocklist.addresses'::regclass
"""
_FILL = """
    INSERT INTO blocklist.addresses (tenant, address, version, return_count, cause, reason, since, mailing)
    SELECT $1, 'user' || n || '@mail' || n % 5000 || '.example.com',
           CASE WHEN n % 5 = 0 THEN 1760000000000000 + n ELSE 0 END,
           (n % 5 = 0)::integer, CASE WHEN n % 5 = 0 THEN 'dead_address' END,
           CASE WHEN n % 5 = 0 THEN 'user_unknown' END, CASE WHEN n % 5 = 0 THEN timestamptz '2026-01-01' END,
           CASE WHEN n % 5 = 0 THEN 'm1' END
    FROM generate_series($2::bigint, $3::bigint) AS n
"""


def address(n: int) -> str:
    """Return the n-th address, blocked when n can be divided by five."""
    return f"user{n}@mail{n % 5000}.example.com"


async def fill(url: str, count: int) -> None:
    """Have so many addresses in the blocklist, in one transaction; those that are there already stay."""
    database = await asyncpg.connect(url, command_timeout=3_600)
    there = await database.fetchval("SELECT count(*) FROM blocklist.addresses WHERE address LIKE 'user%'")
    if there < count:
        async with database.transaction():
            await database.execute(f"SET LOCAL maintenance_work_mem = '{_MEMORY}'")
            indexes = await database.fetch(_INDEXES)
            for index in indexes:
                await database.execute(
                    f"ALTER TABLE blocklist.addresses DROP CONSTRAINT {index['name'].rpartition('.')[2]}"
                    if index["main"]
                    else f"DROP INDEX {index['name']}"
                )
            await database.execute(_FILL, TENANT, there, count - 1)
            await database.execute("ALTER TABLE blocklist.addresses ADD PRIMARY KEY (tenant, address)")
            for index in indexes:
                if not index["main"]:
                    await database.execute(index["definition"].replace(" ON ONLY ", " ON "))
        await database.execute("VACUUM ANALYZE blocklist.addresses")
        await database.execute("CHECKPOINT")
    await _read_through(database)
    await database.close()


async def _read_through(database: asyncpg.Connection) -> None:
    """Read table and indexes once: what a server that has run for a day has in its memory."""
    async with database.transaction():
        await database.execute("SET LOCAL search_path = blocklist; SET LOCAL max_parallel_workers_per_gather = 0")
        await database.fetchval("SELECT count(last_delivered) FROM addresses")
        await database.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        for which in ("true", "cause IS NOT NULL"):
            await database.fetchval(
                f"SELECT count(*) FROM (SELECT FROM addresses WHERE {which} ORDER BY tenant, address) AS a"  # noqa: S608
            )
