-- name: add_operation
-- A new operation; no row when its id is known already.
INSERT INTO operations (tenant, operation_id, operation, mailing, requested_by, note, requested_at, state, moved_at,
                        parameters, target, request_digest)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'previewed', clock_timestamp(), $8, $9, $10)
ON CONFLICT DO NOTHING RETURNING no

-- name: cut
-- Cut the rows of an operation into parts of $2 rows.
INSERT INTO operation_parts (operation, part, first, last, todo)
SELECT $1, seq / $2, min(seq), max(seq), count(*) FILTER (WHERE outcome IS NULL)
FROM operation_rows WHERE operation = $1 GROUP BY seq / $2

-- name: digest
-- What the rows of an operation are now, in one number; and how many.
SELECT count(*) AS rows, coalesce(sum(hashtextextended(r.address || E'\x1f' || coalesce(r.mailing, ''), r.seq)), 0) AS sum
FROM operation_rows AS r WHERE r.operation = $1

-- name: reasons
-- Why rows are skipped or failed, and how many; rows that are gone before they were done were erased since.
SELECT outcome, why, sum(rows)::bigint AS rows FROM (
    SELECT outcome, why, count(*) AS rows FROM operation_rows
    WHERE operation = $1 AND outcome IS NOT NULL GROUP BY outcome, why
    UNION ALL
    SELECT 'skipped', 'erased', sum(greatest(0, p.last - p.first + 1
               - CASE p.state WHEN 'done' THEN p.done + r.settled ELSE r.present END))
    FROM operations AS o JOIN operation_parts AS p ON p.operation = o.no
    CROSS JOIN LATERAL (SELECT count(*) AS present, count(outcome) AS settled FROM operation_rows AS r
                        WHERE r.operation = p.operation AND r.seq BETWEEN p.first AND p.last) AS r
    WHERE o.no = $1 AND o.operation <> 'delete_addresses') AS found
WHERE rows > 0 GROUP BY outcome, why ORDER BY rows DESC, why

-- name: sample
-- The first rows, with whose they are and what is known of them; some of the skipped among them.
SELECT r.seq, coalesce(a.written, p.written, r.address) AS address, r.mailing, r.outcome, r.why, o.contact, o.name, o.company,
       p.reason, coalesce(s.blocked, false) AS blocked, s.cause
FROM ((SELECT * FROM operation_rows WHERE operation = $1 AND outcome IS NULL ORDER BY seq LIMIT $3)
      UNION ALL (SELECT * FROM operation_rows WHERE operation = $1 AND outcome IS NOT NULL ORDER BY seq LIMIT $3)) AS r
LEFT JOIN owners AS o ON o.tenant = $2 AND o.address = r.address
LEFT JOIN contact_addresses AS a ON a.tenant = $2 AND a.address = r.address AND a.contact = o.contact
LEFT JOIN recipients AS p ON p.tenant = $2 AND p.mailing = r.mailing AND p.address = r.address
LEFT JOIN address_states AS s ON s.tenant = $2 AND s.address = r.address AND s.blocked
ORDER BY r.outcome NULLS FIRST, r.seq

-- name: find
-- One operation, with the name of its list, and the address that it corrected.
SELECT o.*, {names} FROM operations AS o WHERE tenant = $1 AND operation_id = $2

-- name: names
-- What the parameters of an operation `o` are called.
(SELECT l.name FROM lists AS l WHERE l.tenant = o.tenant AND l.kind = split_part(o.operation, '_', 3)
  AND l.list = coalesce(o.result ->> 'list', o.parameters ->> 'list')) AS list_name,
(SELECT c.old_written FROM address_corrections AS c WHERE c.operation = o.no LIMIT 1) AS old_address

-- name: lock
-- Lock an operation: wait for its parts that are locked, and make others wait.
SELECT * FROM operations WHERE tenant = $1 AND operation_id = $2 FOR UPDATE

-- name: lock_if_free
-- Lock an operation unless it or a part of it is locked.
SELECT * FROM operations WHERE no = $1 FOR UPDATE SKIP LOCKED

-- name: lock_shared
-- Keep an operation as it is while a part of it is locked. (`take_turn` goes on all the same.)
SELECT * FROM operations WHERE no = $1 FOR KEY SHARE

-- name: take_turn
-- The operation that has waited longest for its turn, of those without one since $1.
UPDATE operations SET served_at = clock_timestamp()
WHERE no = (SELECT no FROM operations
            WHERE state IN ('queued', 'running', 'cancelling', 'undoing') AND served_at < $1
              AND (state <> 'queued' OR due_at <= clock_timestamp())
            ORDER BY served_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING no, state

-- name: set_state
-- An operation has another state.
UPDATE operations SET state = $2, moved_at = clock_timestamp(), result = result || $3::jsonb, error = coalesce($4, error),
    finished_at = CASE WHEN $2 IN ('finished', 'failed', 'cancelled', 'undone') THEN clock_timestamp() END
WHERE no = $1 RETURNING *

-- name: queue
-- A preview is confirmed.
UPDATE operations SET state = 'queued', requested_by = $2, requested_at = $3, due_at = $4, moved_at = clock_timestamp()
WHERE no = $1 RETURNING *

-- name: set_keep
-- Whether a cancelled operation keeps what it did.
UPDATE operations SET keep = $2 WHERE no = $1

-- name: take_part
-- Lock the part that is done next, unless $3 parts wait for events already.
SELECT part, first, last FROM operation_parts
WHERE operation = $1 AND state = $2
  AND (SELECT count(*) FROM operation_parts WHERE operation = $1 AND state IN ('commanded', 'undo_commanded')) < $3
ORDER BY part * $4 LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: take_unanswered
-- Lock a part whose command was sent before $2 and is not answered.
SELECT part, first, last, state FROM operation_parts
WHERE operation = $1 AND state IN ('commanded', 'undo_commanded') AND moved_at < $2
ORDER BY part LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: set_part_state
-- The state of a part that is locked.
UPDATE operation_parts SET state = $3, awaited = $4, moved_at = clock_timestamp(),
    done = CASE $3 WHEN 'done' THEN (SELECT count(*) FROM operation_rows WHERE operation = $1 AND seq BETWEEN first AND last
                                                                          AND outcome IS NULL)
                   WHEN 'undone' THEN 0 ELSE done END
WHERE operation = $1 AND part = $2

-- name: fail_rows
-- The rows of a part that are open have failed.
UPDATE operation_rows SET outcome = 'failed', why = $4
WHERE operation = $1 AND seq BETWEEN $2 AND $3 AND outcome IS NULL

-- name: skip_rows
-- Rows are skipped, and why.
UPDATE operation_rows AS r SET outcome = 'skipped', why = w.why
FROM unnest($2::integer[], $3::text[]) AS w (seq, why) WHERE r.operation = $1 AND r.seq = w.seq

-- name: settle_parts
-- Settle the parts that wait for these events; returns each one's operation and event.
UPDATE operation_parts AS p SET
    state = CASE p.state WHEN 'commanded' THEN 'done' ELSE 'undone' END, awaited = NULL, moved_at = clock_timestamp(),
    done = CASE p.state WHEN 'commanded' THEN (SELECT count(*) FROM operation_rows AS r
        WHERE r.operation = p.operation AND r.seq BETWEEN p.first AND p.last AND r.outcome IS NULL) ELSE 0 END
FROM (SELECT operation, part, awaited FROM operation_parts
      WHERE awaited = ANY ($1::text[]) AND state IN ('commanded', 'undo_commanded') ORDER BY operation, part FOR UPDATE) AS a
WHERE p.operation = a.operation AND p.part = a.part
RETURNING p.operation, a.awaited

-- name: settle_emptied
-- Settle the parts of deletions of which no row is left, of these operations.
UPDATE operation_parts AS p SET state = 'done', done = todo, moved_at = clock_timestamp()
FROM operations AS o
WHERE o.no = p.operation AND o.operation = 'delete_addresses' AND p.operation = ANY ($1::bigint[]) AND p.state = 'commanded'
  AND NOT EXISTS (SELECT FROM operation_rows AS r
                  WHERE r.operation = p.operation AND r.seq BETWEEN p.first AND p.last AND r.outcome IS NULL)
RETURNING p.operation

-- name: open_addresses
-- The addresses of the open rows of a part, each once.
SELECT DISTINCT address FROM operation_rows
WHERE operation = $1 AND seq BETWEEN $2 AND $3 AND outcome IS NULL ORDER BY address

-- name: progress
-- How far an operation is, in rows and parts.
SELECT coalesce(sum(p.last - p.first + 1), 0) AS total,
       coalesce(sum(CASE WHEN p.state IN ('done', 'failed') THEN p.last - p.first + 1 ELSE p.done END), 0) AS settled,
       coalesce(sum(p.done), 0) AS done,
       count(*) FILTER (WHERE p.state = 'open') AS open,
       count(*) FILTER (WHERE p.state IN ('commanded', 'undo_commanded')) AS waiting,
       count(*) FILTER (WHERE p.state = 'done') AS done_parts,
       count(*) FILTER (WHERE p.state = 'failed') AS failed_parts
FROM operation_parts AS p WHERE p.operation = $1

-- name: page_of_operations
-- A page of operations, newest first, without the previews that nobody has confirmed.
SELECT o.*, {names}, p.total, p.settled, p.done, p.open, p.waiting, p.done_parts, p.failed_parts
FROM operations AS o CROSS JOIN LATERAL (
    SELECT coalesce(sum(last - first + 1), 0) AS total,
           coalesce(sum(CASE WHEN state IN ('done', 'failed') THEN last - first + 1 ELSE done END), 0) AS settled,
           coalesce(sum(done), 0) AS done, count(*) FILTER (WHERE state = 'open') AS open,
           count(*) FILTER (WHERE state IN ('commanded', 'undo_commanded')) AS waiting,
           count(*) FILTER (WHERE state = 'done') AS done_parts,
           count(*) FILTER (WHERE state = 'failed') AS failed_parts
    FROM operation_parts WHERE operation = o.no) AS p
WHERE tenant = $1 AND state <> 'previewed' AND ($2::timestamptz IS NULL OR (requested_at, operation_id) < ($2, $3))
ORDER BY requested_at DESC, operation_id DESC LIMIT $4

-- name: page_of_rows
-- A page of the rows that were skipped or failed.
SELECT r.seq, r.address, r.mailing, r.outcome, r.why FROM operation_rows AS r
WHERE r.operation = $1 AND r.outcome IS NOT NULL AND ($2::text IS NULL OR r.outcome = $2) AND ($3::bigint IS NULL OR r.seq > $3)
ORDER BY r.seq LIMIT $4

-- name: expired
-- Operations whose rows are no longer needed, and previews that nobody confirmed.
SELECT no FROM operations
WHERE (state = 'previewed' AND moved_at < $1)
   OR (state IN ('finished', 'failed', 'cancelled', 'undone') AND finished_at < $2
       AND EXISTS (SELECT FROM operation_parts AS p WHERE p.operation = no))
LIMIT 10 FOR UPDATE SKIP LOCKED

-- name: erase_rows
-- Erase addresses from operations; returns which.
DELETE FROM operation_rows AS r USING unnest($1::text[], $2::text[]) AS g (tenant, address), operations AS o
WHERE r.address = g.address AND o.no = r.operation AND o.tenant = g.tenant RETURNING r.operation

-- name: erase_undo_values
-- Erase addresses from what undos would restore.
DELETE FROM operation_undo_values AS b USING unnest($1::text[], $2::text[]) AS g (tenant, address), operations AS o
WHERE b.address = g.address AND o.no = b.operation AND o.tenant = g.tenant

-- name: erase_corrections
-- Erase addresses from the parameters of corrections.
UPDATE operations AS o SET parameters = '{}' FROM unnest($1::text[], $2::text[]) AS g (tenant, address)
WHERE o.operation = 'correct_address' AND o.tenant = g.tenant AND lower(o.parameters ->> 'new') = g.address

-- name: erase_searches
-- Erase addresses from the filters that searched for them.
UPDATE operations AS o SET target = jsonb_set(o.target, '{filter,q}', '"(erased)"')
FROM unnest($1::text[], $2::text[]) AS g (tenant, address)
WHERE o.tenant = g.tenant AND o.target #>> '{filter,q}' LIKE '%@%'
  AND (g.address ^@ lower(btrim(o.target #>> '{filter,q}')) OR strpos(lower(o.target #>> '{filter,q}'), g.address) > 0)

-- name: erase_audited_searches
-- Erase addresses from the filters in the audit.
UPDATE audit AS a SET target = jsonb_set(a.target, '{filter,q}', '"(erased)"')
FROM unnest($1::text[], $2::text[]) AS g (tenant, address)
WHERE a.tenant = g.tenant AND a.target #>> '{filter,q}' LIKE '%@%'
  AND (g.address ^@ lower(btrim(a.target #>> '{filter,q}')) OR strpos(lower(a.target #>> '{filter,q}'), g.address) > 0)

-- name: erase_files
-- Remove the files of these operations.
WITH removed AS (DELETE FROM operation_files WHERE operation = ANY ($1::bigint[]))
UPDATE operations SET result = result - 'file' || '{"removed": "an address in it was deleted"}'
WHERE no = ANY ($1::bigint[]) AND result ? 'file'

-- name: expire_files
-- Remove the files of exports that ended before a time, and what no export has.
WITH old AS (
    UPDATE operations SET result = result - 'file' || '{"removed": "it was kept for its time"}'
    WHERE result ? 'file' AND finished_at < $1 RETURNING no
)
DELETE FROM operation_files AS f
WHERE f.operation IN (SELECT no FROM old) OR NOT EXISTS (SELECT FROM operations AS o WHERE o.no = f.operation)

-- name: remove_rows
-- Remove rows of operations, some at a time.
DELETE FROM operation_rows WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM operation_rows WHERE operation = ANY ($1::bigint[]) LIMIT $2)) RETURNING 1

-- name: remove_undo_values
-- Remove what undos of operations would restore, some at a time.
DELETE FROM operation_undo_values WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM operation_undo_values WHERE operation = ANY ($1::bigint[]) LIMIT $2)) RETURNING 1

-- name: remove_parts
-- Remove the parts of operations.
DELETE FROM operation_parts WHERE operation = ANY ($1::bigint[])

-- name: remove_previews
-- Remove previews.
DELETE FROM operations WHERE no = ANY ($1::bigint[]) AND state = 'previewed'
