# ruff: noqa: S608 - all that is put together is in here
"""Filling of tables, and what the benchmark of actions is filled with: two mailings, contacts, blocked addresses.

Row by row through all indexes and triggers a million would take a quarter of an hour: indexes are made afterwards, and
the owners of addresses, which triggers keep, are written as the triggers would.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import asyncpg

TENANT, MAILING, DEAD = "bench", "newsletter", "dead"
_ADDRESS = "'user' || n || '@mail' || n % 5000 || '.example.com'"
_REASON = "CASE WHEN n % 3 > 0 THEN 'user_unknown' ELSE 'mailbox_full' END"
FILL: dict[str, tuple[str, ...]] = {
    "actions.recipients": (
        f"""INSERT INTO actions.recipients (tenant, mailing, address, sent_at, delivered_at, opened_at, complained_at)
        SELECT $1, '{MAILING}', {_ADDRESS}, timestamptz '2026-01-01' + n * interval '20 ms',
               CASE WHEN n % 10 < 7 THEN timestamptz '2026-01-01 06:00' END,
               CASE WHEN n % 10 < 3 THEN timestamptz '2026-01-02' END,
               CASE WHEN n % 500 = 1 THEN timestamptz '2026-01-03' + n * interval '20 ms' END
        FROM generate_series(0, $2::bigint - 1) AS n WHERE n % 20 <> 8""",
        f"""INSERT INTO actions.recipients
            (tenant, mailing, address, sent_at, returned_at, hard, reason, exhausted, reply_code, diagnostic, written)
        SELECT $1, m.mailing, {_ADDRESS}, timestamptz '2026-01-01', timestamptz '2026-01-01' + n * interval '30 ms',
               n % 3 > 0, {_REASON}, false, 550, '550 5.1.1 ' || n, {_ADDRESS}
        FROM generate_series(0, $2::bigint - 1) AS n
        JOIN (VALUES ('{DEAD}'), ('{MAILING}')) AS m (mailing) ON m.mailing = '{DEAD}' OR n % 20 = 8""",
    ),
    "actions.contacts": (
        """INSERT INTO actions.contacts (tenant, contact, name, company, name_key, company_key, words)
        SELECT $1, 'c' || n, 'Name' || n % 100000, 'Company ' || n % 20000, 'name' || n % 100000,
               'company ' || n % 20000,
               array_to_tsvector(ARRAY[$1 || '/company', $1 || '/' || n % 20000, $1 || '/name' || n % 100000])
        FROM generate_series(0, $2::bigint - 1) AS n""",
    ),
    "actions.contact_addresses": (
        f"""INSERT INTO actions.contact_addresses (tenant, address, contact, rank, written)
        SELECT $1, {_ADDRESS}, 'c' || n, 0, {_ADDRESS}
        FROM generate_series(0, $2::bigint - 1) AS n WHERE n % 10 <> 9""",
    ),
    "actions.owners": (
        f"""INSERT INTO actions.owners
            (tenant, address, contact, former_employee, name, company, name_key, company_key)
        SELECT $1, {_ADDRESS}, 'c' || n, false, 'Name' || n % 100000, 'Company ' || n % 20000, 'name' || n % 100000,
               'company ' || n % 20000
        FROM generate_series(0, $2::bigint - 1) AS n WHERE n % 10 <> 9""",
    ),
    "actions.address_states": (
        f"""INSERT INTO actions.address_states
            (tenant, address, version, blocked, cause, reason, return_count, since, mailing)
        SELECT $1, {_ADDRESS}, 1760000000000000 + n, true, 'dead_address', {_REASON}, n % 6,
               timestamptz '2026-01-01' + n * interval '1 s', '{DEAD}'
        FROM generate_series(0, $2::bigint - 1) AS n""",
    ),
    "actions.address_events": (
        f"""INSERT INTO actions.address_events
            (tenant, address, version, time, blocked, cause, reason, mailing, by, note)
        SELECT $1, {_ADDRESS}, 1760000000000000 + n, timestamptz '2026-01-01' + n * interval '1 s', true,
               'dead_address', {_REASON}, '{DEAD}', 'blocklist', ''
        FROM generate_series(0, $2::bigint - 1) AS n""",
    ),
    "blocklist.block_log": (
        f"""INSERT INTO blocklist.block_log (tenant, address, version, at, blocked, cause, reason, subject, by, note)
        SELECT $1, {_ADDRESS}, 1760000000000000 + n, timestamptz '2026-01-01', true, 'dead_address', 'user_unknown',
               '{DEAD}', 'blocklist', ''
        FROM generate_series(0, $2::bigint - 1) AS n""",
    ),
    "blocklist.addresses": (
        f"""INSERT INTO blocklist.addresses (tenant, address, version, return_count, cause, reason, since, mailing)
        SELECT $1, {_ADDRESS}, 1760000000000000 + n, 1, 'dead_address', 'user_unknown', timestamptz '2026-01-01',
               '{DEAD}'
        FROM generate_series(0, $2::bigint - 1) AS n""",
    ),
    "blocklist.history": (
        f"""INSERT INTO blocklist.history
            (tenant, address, id, time, may_block, mailing, reason, fault, rule, status, text)
        SELECT $1, {_ADDRESS}, gen_random_uuid(), timestamptz '2026-01-01', true, '{DEAD}', 'user_unknown',
               'recipient', 'bench.rule', '5.1.1', '550 5.1.1 ' || n
        FROM generate_series(0, $2::bigint - 1) AS n""",
    ),
}
"""What is written for tenant $1 and $2 addresses, by table."""
LONG_RUN = {
    **{name: FILL[name] for name in ("actions.recipients", "blocklist.addresses", "blocklist.history")},
    "classifier.outcomes": (
        """INSERT INTO classifier.outcomes (recipient, time, state)
        SELECT substring(sha256(convert_to($1 || n, 'UTF8')) FROM 1 FOR 16), timestamptz '2026-11-01', 'recovered'
        FROM generate_series(0, $2::bigint - 1) AS n""",
    ),
}
"""What a system that has run for long holds: two recipients an address, every address blocked, outcomes of retries."""
MAILINGS = f"""INSERT INTO actions.mailings (tenant, mailing, first_seen, last_seen)
    SELECT $1, unnest(ARRAY['{MAILING}', '{DEAD}']), '2026-01-01', '2026-01-02'"""
_SECONDARY = """SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS made
    FROM pg_index AS i WHERE i.indrelid = $1::regclass AND NOT i.indisunique"""
_SESSION = "SET synchronous_commit = off; SET maintenance_work_mem = '512MB'; SET session_replication_role = replica"
"""As a replica no trigger fires."""
AT_ONCE = 2


async def fill(
    url: str, tables: Mapping[str, Sequence[str]], tenant: str, rows: int, say: Callable[[str], None]
) -> None:
    """Fill the tables of a database that nobody uses yet, each by statements over tenant $1 and $2 rows."""
    waiting = list(tables)

    async def work() -> None:
        database = await asyncpg.connect(url, command_timeout=3_600)
        await database.execute(_SESSION)
        while waiting:
            table = waiting.pop(0)
            say(f"filling {table}")
            await _fill(database, table, tables[table], tenant, rows)
        await database.close()

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    database = await asyncpg.connect(url, command_timeout=3_600)
    say("VACUUM ANALYZE")
    await database.execute("VACUUM (ANALYZE, PARALLEL 2)")
    await database.execute("CHECKPOINT")
    await database.close()


async def _fill(database: Any, table: str, statements: Sequence[str], tenant: str, rows: int) -> None:
    indexes = await database.fetch(_SECONDARY, table)
    for index in indexes:
        await database.execute(f"DROP INDEX {index['name']}")
    for statement in statements:
        await database.execute(statement, tenant, rows)
    for index in indexes:
        await database.execute(index["made"].replace(" ON ONLY ", " ON "))
