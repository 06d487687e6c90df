# ruff: noqa: S608 - all that is put together is in here
"""What the benchmark of actions is filled with: two mailings, contacts, blocked addresses."""

TENANT, MAILING, DEAD = "bench", "newsletter", "dead"
_ADDRESS = "'user' || n || '@mail' || n % 5000 || '.example.com'"
_REASON = "CASE WHEN n % 3 > 0 THEN 'user_unknown' ELSE 'mailbox_full' END"
FILL = (
    f"""INSERT INTO actions.recipients (tenant, mailing, address, sent_at, delivered_at, opened_at, complained_at)
        SELECT $1, '{MAILING}', {_ADDRESS}, timestamptz '2026-01-01' + n * interval '20 ms',
               CASE WHEN n % 10 < 7 THEN timestamptz '2026-01-01 06:00' END,
               CASE WHEN n % 10 < 3 THEN timestamptz '2026-01-02' END,
               CASE WHEN n % 500 = 1 THEN timestamptz '2026-01-03' + n * interval '20 ms' END
        FROM generate_series($2::bigint, $3::bigint) AS n WHERE n % 20 <> 8""",
    f"""INSERT INTO actions.recipients
            (tenant, mailing, address, sent_at, returned_at, hard, reason, exhausted, reply_code, diagnostic, written)
        SELECT $1, m.mailing, {_ADDRESS}, timestamptz '2026-01-01', timestamptz '2026-01-01' + n * interval '30 ms',
               n % 3 > 0, {_REASON}, false, 550, '550 5.1.1 ' || n, {_ADDRESS}
        FROM generate_series($2::bigint, $3::bigint) AS n
        JOIN (VALUES ('{DEAD}'), ('{MAILING}')) AS m (mailing) ON m.mailing = '{DEAD}' OR n % 20 = 8""",
    """INSERT INTO actions.contacts (tenant, contact, name, company, name_key, company_key, words)
        SELECT $1, 'c' || n, 'Name' || n % 100000, 'Company ' || n % 20000, 'name' || n % 100000,
               'company ' || n % 20000,
               array_to_tsvector(ARRAY[$1 || '/company', $1 || '/' || n % 20000, $1 || '/name' || n % 100000])
        FROM generate_series($2::bigint, $3::bigint) AS n""",
    f"""INSERT INTO actions.contact_addresses (tenant, address, contact, rank, written)
        SELECT $1, {_ADDRESS}, 'c' || n, 0, {_ADDRESS}
        FROM generate_series($2::bigint, $3::bigint) AS n WHERE n % 10 <> 9""",
    f"""INSERT INTO actions.address_states
            (tenant, address, version, blocked, cause, reason, return_count, since, mailing)
        SELECT $1, {_ADDRESS}, 1760000000000000 + n, true, 'dead_address', {_REASON}, n % 6,
               timestamptz '2026-01-01' + n * interval '1 s', '{DEAD}'
        FROM generate_series($2::bigint, $3::bigint) AS n""",
    f"""INSERT INTO blocklist.addresses (tenant, address, version, return_count, cause, reason, since, mailing)
        SELECT $1, {_ADDRESS}, 1760000000000000 + n, 1, 'dead_address', 'user_unknown', timestamptz '2026-01-01',
               '{DEAD}'
        FROM generate_series($2::bigint, $3::bigint) AS n""",
)
MAILINGS = f"""INSERT INTO actions.mailings (tenant, mailing, first_seen, last_seen)
    SELECT $1, unnest(ARRAY['{MAILING}', '{DEAD}']), '2026-01-01', '2026-01-02'"""
