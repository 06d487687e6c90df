-- name: begin
-- Keep that a list is being uploaded.
INSERT INTO imports (id, tenant, idempotency_key, action, dry_run, by, note, begun_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: find
-- An import by the key that its caller gave it.
SELECT * FROM imports WHERE tenant = $1 AND idempotency_key = $2

-- name: add_part
-- Keep the next rows of a list.
INSERT INTO import_parts (import, n, entries) VALUES ($1, $2, $3)

-- name: received
-- The list is whole: apply it.
UPDATE imports SET state = 'running', received_at = $2, total = $3 WHERE id = $1

-- name: discard
-- Forget a list of which the upload broke off.
DELETE FROM imports WHERE id = $1 AND state = 'uploading'

-- name: discard_torn
-- Forget the lists of which the upload broke off long ago.
DELETE FROM imports WHERE state = 'uploading' AND begun_at < $1

-- name: take
-- Lock a list that no other process works on.
SELECT id, tenant, action, dry_run, by, note, received_at, outcomes::text
FROM imports WHERE state = 'running' ORDER BY received_at, id LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: next_part
-- Its next rows.
SELECT n, entries FROM import_parts WHERE import = $1 AND entries IS NOT NULL ORDER BY n LIMIT 1

-- name: part_done
-- Keep what became of the rows, and no longer the rows.
UPDATE import_parts SET entries = NULL, report = $3 WHERE import = $1 AND n = $2

-- name: advance
-- Keep how far a list has come.
UPDATE imports SET done = done + $2, outcomes = $3::jsonb WHERE id = $1

-- name: finish
-- All rows have their outcome.
UPDATE imports SET state = 'finished', finished_at = clock_timestamp() WHERE id = $1

-- name: get
-- One import of a tenant.
SELECT id, action, dry_run, state, by, note, begun_at, received_at, finished_at, total, done, outcomes::text
FROM imports WHERE tenant = $1 AND id = $2

-- name: newest
-- A page of a tenant's imports, the newest first.
SELECT id, action, dry_run, state, by, note, begun_at, received_at, finished_at, total, done, outcomes::text
FROM imports WHERE tenant = $1 AND ($2::timestamptz IS NULL OR (begun_at, id) < ($2, $3::uuid))
ORDER BY begun_at DESC, id DESC LIMIT $4

-- name: report
-- What became of the rows of one part.
SELECT n, report FROM import_parts WHERE import = $1 AND n > $2 AND report IS NOT NULL ORDER BY n LIMIT 1

-- name: next_addresses
-- The next addresses of a tenant to which an import did something.
SELECT address FROM (
    (SELECT DISTINCT address FROM history
     WHERE tenant = $1 AND address > $2 AND mailing = $3 ORDER BY address LIMIT $5)
    UNION
    (SELECT address FROM addresses
     WHERE tenant = $1 AND address > $2 AND (manual_at = $4 OR last_clear = $4) ORDER BY address LIMIT $5)
    UNION
    (SELECT DISTINCT address FROM block_log
     WHERE tenant = $1 AND address > $2 AND subject = $3 ORDER BY address LIMIT $5)
) AS a ORDER BY address LIMIT $5

-- name: count_addresses
-- How many of them there are.
SELECT count(*) FROM (
    SELECT address FROM history WHERE tenant = $1 AND mailing = $2
    UNION
    SELECT address FROM addresses WHERE tenant = $1 AND (manual_at = $3 OR last_clear = $3)
    UNION
    SELECT address FROM block_log WHERE tenant = $1 AND subject = $2
) AS a

-- name: forget_history
-- Remove what an import added to the history of these addresses.
DELETE FROM history AS h USING unnest($1::text[], $2::text[]) AS k (tenant, address)
WHERE h.tenant = k.tenant AND h.address = k.address AND h.mailing = $3

-- name: ours_after
-- The next blocked addresses of a tenant, in the order of their keys.
SELECT address, cause, reason, since FROM addresses
WHERE tenant = $1 AND address > $2 AND cause IS NOT NULL
ORDER BY address LIMIT $3

-- name: lifted
-- Those of these addresses that somebody has cleared.
SELECT a.address
FROM unnest($2::text[]) AS k (address)
CROSS JOIN LATERAL (
    SELECT a.address FROM addresses AS a
    WHERE a.tenant = $1 AND a.address = k.address AND a.last_clear IS NOT NULL OFFSET 0
) AS a
