-- name: begin
-- Note that a list comes in.
INSERT INTO imports (id, tenant, name, action, dry_run, by, note, begun_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: find
-- An import by the key that its caller gave it.
SELECT * FROM imports WHERE tenant = $1 AND name = $2

-- name: add_part
-- Keep the next rows of a list.
INSERT INTO import_parts (import, n, entries) VALUES ($1, $2, $3)

-- name: received
-- The list is whole: work it off.
UPDATE imports SET state = 'running', received_at = $2, total = $3 WHERE id = $1

-- name: discard
-- Forget a list that never became whole.
DELETE FROM imports WHERE id = $1 AND state = 'receiving'

-- name: discard_torn
-- Forget the lists whose callers left long ago.
DELETE FROM imports WHERE state = 'receiving' AND begun_at < $1

-- name: take
-- Take a list that nobody else has in hand.
SELECT id, tenant, action, dry_run, by, note, received_at, outcomes::text
FROM imports WHERE state = 'running' ORDER BY received_at, id LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: next_part
-- Its next rows.
SELECT n, entries FROM import_parts WHERE import = $1 AND entries IS NOT NULL ORDER BY n LIMIT 1

-- name: part_done
-- Keep what became of the rows, and no longer the rows.
UPDATE import_parts SET entries = NULL, report = $3 WHERE import = $1 AND n = $2

-- name: advance
-- Note how far a list has come.
UPDATE imports SET done = done + $2, outcomes = $3::jsonb WHERE id = $1

-- name: finish
-- All rows have their outcome.
UPDATE imports SET state = 'finished', finished_at = clock_timestamp() WHERE id = $1

-- name: one
-- One import of a tenant.
SELECT id, action, dry_run, state, by, note, begun_at, received_at, finished_at, total, done, outcomes::text
FROM imports WHERE tenant = $1 AND id = $2

-- name: newest
-- A page of a tenant's imports, the newest first.
SELECT id, action, dry_run, state, by, note, begun_at, received_at, finished_at, total, done, outcomes::text
FROM imports WHERE tenant = $1 AND (begun_at, id) < ($2::timestamptz, $3::uuid)
ORDER BY begun_at DESC, id DESC LIMIT $4

-- name: report
-- What became of the rows of one part.
SELECT n, report FROM import_parts WHERE import = $1 AND n > $2 AND report IS NOT NULL ORDER BY n LIMIT 1
