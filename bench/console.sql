-- name: mailings
-- A hundred mailings of tenant $1, a day each.
INSERT INTO actions.mailings (tenant, mailing, first_seen, last_seen)
SELECT $1, 'mailing-' || m, d, d + interval '1 hour'
FROM generate_series(0, 99) AS m, LATERAL (SELECT timestamptz '2026-06-01' + m * interval '1 day' AS d) AS t

-- name: recipients
-- As many returned recipients as $2 says.
INSERT INTO actions.recipients (tenant, mailing, address, sent_at, failed_at, returned_at, hard, reason, exhausted,
    reply_code, enhanced_status, diagnostic, written, rule)
SELECT $1, 'mailing-' || n % 100, 'user' || n || '@mail' || n % 4999 || '.example', at, at, at + interval '9 seconds',
       true, (ARRAY['user_unknown', 'bad_address', 'domain_unknown', 'mailbox_full', 'expired'])[n % 5 + 1], false,
       550 + n % 5, '5.1.1', '550 5.1.1 User unknown', 'User' || n || '@mail' || n % 4999 || '.example', 'bench.rule'
FROM generate_series(0, $2::bigint - 1) AS n,
     LATERAL (SELECT timestamptz '2026-06-01' + n % 100 * interval '1 day' + n % 86399 * interval '1 second' AS at) AS t

-- name: states
-- Their blocks.
INSERT INTO actions.address_states (tenant, address, version, blocked, cause, reason, return_count, since, mailing)
SELECT $1, 'user' || n || '@mail' || n % 4999 || '.example', 1, true,
       CASE WHEN n % 5 < 3 THEN 'dead_address' ELSE 'return_count' END,
       (ARRAY['user_unknown', 'bad_address', 'domain_unknown', 'mailbox_full', 'expired'])[n % 5 + 1], n % 9 + 1,
       timestamptz '2026-06-01' + n % 100 * interval '1 day' + n % 86399 * interval '1 second', 'mailing-' || n % 100
FROM generate_series(0, $2::bigint - 1) AS n

-- name: contacts
-- Persons for six in ten of them.
INSERT INTO actions.contacts (tenant, contact, name, company, name_key, company_key, words)
SELECT $1, 'c' || n, 'Person' || n || ' Etternavn' || n % 7919, 'Firma ' || n % 3001,
       'person' || n || ' etternavn' || n % 7919, 'firma ' || n % 3001,
       array_to_tsvector(ARRAY[$1 || '/person' || n, $1 || '/etternavn' || n % 7919, $1 || '/firma', $1 || '/' || n % 3001])
FROM generate_series(0, $2::bigint - 1) AS n WHERE n % 10 < 6

-- name: addresses
-- Their addresses.
INSERT INTO actions.contact_addresses (tenant, address, contact, rank, written)
SELECT $1, 'user' || n || '@mail' || n % 4999 || '.example', 'c' || n, 0, 'User' || n || '@mail' || n % 4999 || '.example'
FROM generate_series(0, $2::bigint - 1) AS n WHERE n % 10 < 6

-- name: owners
-- What triggers make of both.
INSERT INTO actions.owners (tenant, address, contact, former_employee, name, company, name_key, company_key)
SELECT $1, 'user' || n || '@mail' || n % 4999 || '.example', 'c' || n, false, 'Person' || n || ' Etternavn' || n % 7919,
       'Firma ' || n % 3001, 'person' || n || ' etternavn' || n % 7919, 'firma ' || n % 3001
FROM generate_series(0, $2::bigint - 1) AS n WHERE n % 10 < 6
