-- name: touch
-- Take these addresses in hand, in the order given, and note their last delivery, if any. A row that does not change is
-- locked all the same. Returns those that had returns before a newer delivery.
WITH touched AS (
    INSERT INTO addresses AS a (tenant, address, last_delivered)
    SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[])
    ON CONFLICT (tenant, address) DO UPDATE SET last_delivered = excluded.last_delivered
    WHERE a.last_delivered < excluded.last_delivered
       OR (a.last_delivered IS NULL AND excluded.last_delivered IS NOT NULL)
    RETURNING a.tenant, a.address, a.return_count
)
SELECT tenant, address FROM touched WHERE return_count > 0

-- name: clear
-- Note the last clear of these addresses.
INSERT INTO addresses AS a (tenant, address, last_clear, cleared_by, clear_note)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[])
ON CONFLICT (tenant, address) DO UPDATE
SET last_clear = excluded.last_clear, cleared_by = excluded.cleared_by, clear_note = excluded.clear_note
WHERE a.last_clear IS NULL
   OR (a.last_clear, a.cleared_by, a.clear_note) < (excluded.last_clear, excluded.cleared_by, excluded.clear_note)

-- name: set
-- Note the last block by hand of these addresses.
INSERT INTO addresses AS a (tenant, address, manual_at, manual_by, manual_note)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[])
ON CONFLICT (tenant, address) DO UPDATE
SET manual_at = excluded.manual_at, manual_by = excluded.manual_by, manual_note = excluded.manual_note
WHERE a.manual_at IS NULL
   OR (a.manual_at, a.manual_by, a.manual_note) < (excluded.manual_at, excluded.manual_by, excluded.manual_note)

-- name: record
-- Add to the history; an event that comes again with another time happened when it was first said to have.
INSERT INTO history AS h (tenant, address, id, time, may_block, mailing, reason, fault, rule, status, text)
SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::timestamptz[], $5::boolean[], $6::text[], $7::text[],
                     $8::text[], $9::text[], $10::text[], $11::text[])
ON CONFLICT (tenant, address, id) DO UPDATE
SET time = excluded.time, may_block = excluded.may_block, mailing = excluded.mailing, reason = excluded.reason,
    fault = excluded.fault, rule = excluded.rule, status = excluded.status, text = excluded.text
WHERE excluded.time < h.time

-- name: known
-- What is known of these addresses, but for their history. OFFSET 0 keeps the planner to look-ups by key.
SELECT a.*
FROM unnest($1::text[], $2::text[]) AS k (tenant, address)
CROSS JOIN LATERAL (
    SELECT a.tenant, a.address, a.last_delivered, a.last_clear, a.manual_at, a.manual_by, a.manual_note,
           a.version, a.return_count, a.cause, a.since, a.reason, a.mailing
    FROM addresses AS a WHERE a.tenant = k.tenant AND a.address = k.address OFFSET 0
) AS a

-- name: bounces
-- The history of these addresses since their last clear, as far as it decides.
SELECT h.*
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS k (tenant, address, cleared)
CROSS JOIN LATERAL (
    SELECT h.tenant, h.address, h.mailing, h.reason, h.time, h.may_block
    FROM history AS h WHERE h.tenant = k.tenant AND h.address = k.address AND h.time > k.cleared OFFSET 0
) AS h

-- name: write
-- Write the new standings. All rows exist: an upsert, since it looks them up by key however large the batch, where an
-- UPDATE with a join may read the whole table.
INSERT INTO addresses AS a (tenant, address, version, return_count, cause, since, reason, mailing)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::integer[], $5::text[], $6::timestamptz[], $7::text[],
                     $8::text[])
ON CONFLICT (tenant, address) DO UPDATE
SET version = excluded.version, return_count = excluded.return_count, cause = excluded.cause, since = excluded.since,
    reason = excluded.reason, mailing = excluded.mailing

-- name: take_for_erase
-- Take these addresses in hand, in the order of their keys.
SELECT a.*
FROM unnest($1::text[], $2::text[]) AS k (tenant, address)
CROSS JOIN LATERAL (
    SELECT a.tenant, a.address, a.cause, a.version
    FROM addresses AS a WHERE a.tenant = k.tenant AND a.address = k.address FOR UPDATE
) AS a

-- name: erase_history
-- Remove all history of these addresses.
DELETE FROM history AS h USING unnest($1::text[], $2::text[]) AS k (tenant, address)
WHERE h.tenant = k.tenant AND h.address = k.address

-- name: erase
-- Remove these addresses.
DELETE FROM addresses AS a USING unnest($1::text[], $2::text[]) AS k (tenant, address)
WHERE a.tenant = k.tenant AND a.address = k.address

-- name: hold_settings
-- Keep the settings of these tenants as they are until the transaction ends.
SELECT pg_advisory_xact_lock_shared(hashtextextended('blocklist.settings ' || tenant, 0))
FROM (SELECT tenant FROM unnest($1::text[]) AS tenant ORDER BY tenant) AS t

-- name: lock_settings
-- Wait until nobody decides by the settings of this tenant any more, and let nobody begin.
SELECT pg_advisory_xact_lock(hashtextextended('blocklist.settings ' || $1::text, 0))

-- name: settings
-- The settings of these tenants, of those that have any.
SELECT tenant, version, accepted_bounces, effects::text, changed_at, changed_by
FROM settings WHERE tenant = ANY ($1::text[])

-- name: save_settings
-- Write a tenant's settings.
INSERT INTO settings (tenant, version, accepted_bounces, effects, changed_at, changed_by)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant) DO UPDATE
SET version = excluded.version, accepted_bounces = excluded.accepted_bounces, effects = excluded.effects,
    changed_at = excluded.changed_at, changed_by = excluded.changed_by

-- name: start_reassessment
-- Have all addresses of a tenant looked at again, from the first.
INSERT INTO reassessments (tenant, cause, by, started_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant) DO UPDATE
SET cause = excluded.cause, by = excluded.by, started_at = excluded.started_at, finished_at = NULL, after = '',
    looked_at = 0

-- name: take_reassessment
-- Take a reassessment that nobody else has in hand.
SELECT tenant, cause, by, started_at, after FROM reassessments
WHERE finished_at IS NULL ORDER BY started_at LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: next_with_history
-- The addresses of the next lines of a tenant's history, some of them more than once.
SELECT address FROM history WHERE tenant = $1 AND address > $2 ORDER BY address LIMIT $3

-- name: advance_reassessment
-- Note how far a reassessment has come.
UPDATE reassessments SET after = $2, looked_at = looked_at + $3 WHERE tenant = $1

-- name: finish_reassessment
-- All have been looked at.
UPDATE reassessments SET finished_at = clock_timestamp() WHERE tenant = $1

-- name: reassessment
-- How far the last change of the settings has been applied.
SELECT started_at, finished_at, looked_at FROM reassessments WHERE tenant = $1

-- name: check
-- The blocked ones of these addresses.
SELECT b.address, b.cause, b.reason, b.since
FROM unnest($2::text[]) AS k (address)
CROSS JOIN LATERAL (
    SELECT a.address, a.cause, a.reason, a.since
    FROM addresses AS a WHERE a.tenant = $1 AND a.address = k.address AND a.cause IS NOT NULL OFFSET 0
) AS b

-- name: list_blocks
-- A page of blocked addresses, newest first.
SELECT address, cause, reason, since, mailing, return_count, version,
       CASE WHEN cause = 'manual' THEN manual_by END AS by, CASE WHEN cause = 'manual' THEN manual_note END AS note
FROM addresses
WHERE tenant = $1 AND since IS NOT NULL
  AND ($2::timestamptz IS NULL OR (since, address) < ($2, $3::text))
  AND ($4::text IS NULL OR cause = $4) AND ($5::text IS NULL OR reason = $5)
  AND ($6::text IS NULL OR right(address, length($6) + 1) = '@' || $6)
ORDER BY since DESC, address DESC LIMIT $7

-- name: count_blocks
-- Blocked addresses by cause and reason, most first.
SELECT cause, reason, count(*) AS blocked FROM addresses
WHERE tenant = $1 AND cause IS NOT NULL GROUP BY cause, reason ORDER BY blocked DESC, cause, reason

-- name: address
-- All that is known of one address but for its history.
SELECT last_delivered, last_clear, cleared_by, clear_note, manual_at, manual_by, manual_note, version
FROM addresses WHERE tenant = $1 AND address = $2

-- name: history
-- The newest of the history of one address.
SELECT id, time, mailing, reason, fault, rule, status, text, may_block FROM history
WHERE tenant = $1 AND address = $2 ORDER BY time DESC, id LIMIT $3
