-- name: rows
-- Rows of an export from $2 up to $3, with some columns. OFFSET 0 keeps the planner to look-ups by key.
SELECT {columns} FROM (
    SELECT r.seq, p.type, o.name, coalesce(p.written, w.written, r.address) AS address, o.company, p.code, p.reason,
           p.message, p.sent, p.returned, p.mailing, s.return_count, s.since AS blocked_since, s.cause, p.status,
           split_part(r.address, '@', -1) AS domain, o.contact
    FROM operation_rows AS r
    LEFT JOIN LATERAL (
        SELECT CASE WHEN q.returned_at IS NULL THEN q.status WHEN q.hard OR q.exhausted THEN 'hard' ELSE 'soft' END AS type,
               q.written, concat_ws(' ', q.reply_code, q.enhanced_status) AS code, q.reason, q.diagnostic AS message,
               coalesce(q.sent_at, q.delivered_at, q.deferred_at) AS sent, q.returned_at AS returned, q.mailing, q.status
        FROM recipients AS q WHERE q.tenant = $4 AND q.address = r.address AND {recipient}) AS p ON true
    LEFT JOIN LATERAL (
        SELECT o.contact, o.name, o.company FROM owners AS o
        WHERE o.tenant = $4 AND o.address = r.address OFFSET 0) AS o ON true
    LEFT JOIN LATERAL (
        SELECT a.written FROM contact_addresses AS a
        WHERE p.written IS NULL AND a.tenant = $4 AND a.address = r.address AND a.contact = o.contact OFFSET 0) AS w ON true
    LEFT JOIN LATERAL (
        SELECT b.return_count, b.cause, b.since FROM address_states AS b
        WHERE b.tenant = $4 AND b.address = r.address AND b.blocked OFFSET 0) AS s ON true
    WHERE r.operation = $1 AND r.seq >= $2 AND r.seq < $3 AND r.outcome IS NULL) AS e
ORDER BY seq

-- name: of_mailing
-- The recipient that a row is.
q.mailing = r.mailing OFFSET 0

-- name: last_returned
-- Of a row that is no recipient: the one of the last mailing that the address was returned in.
q.returned_at IS NOT NULL ORDER BY q.returned_at DESC LIMIT 1

-- name: bounds
-- The greatest number of a row, and whether rows are recipients.
SELECT coalesce(max(seq), -1) AS last, coalesce(bool_or(mailing IS NOT NULL), false) AS recipients
FROM operation_rows WHERE operation = $1

-- name: add_piece
-- Add a piece to a file.
INSERT INTO operation_files (operation, run, piece, bytes) VALUES ($1, $2, $3, $4)

-- name: claim
-- Claim for the run $2 an export that nobody writes, or whose worker has been silent since $1.
UPDATE operation_parts AS p SET awaited = $2, moved_at = clock_timestamp(), done = 0
FROM (SELECT q.operation, q.part FROM operation_parts AS q JOIN operations AS o ON o.no = q.operation
      WHERE o.operation = 'export' AND o.state = 'running' AND q.state = 'commanded'
        AND (q.awaited IS NULL OR q.moved_at < $1)
      ORDER BY q.moved_at LIMIT 1 FOR UPDATE OF q SKIP LOCKED) AS t
WHERE p.operation = t.operation AND p.part = t.part
RETURNING p.operation

-- name: beat
-- A run is alive and has written $3 rows; no row when it lost its claim, or is cancelled.
UPDATE operation_parts AS p SET done = $3, moved_at = clock_timestamp()
FROM operations AS o
WHERE o.no = p.operation AND p.operation = $1 AND p.awaited = $2 AND p.state = 'commanded' AND o.state = 'running'
RETURNING p.part

-- name: delete_pieces
-- Delete the pieces of a run.
DELETE FROM operation_files WHERE operation = $1 AND run = $2

-- name: delete_other_pieces
-- Delete the pieces that other runs left behind.
DELETE FROM operation_files WHERE operation = $1 AND run <> $2

-- name: finish
-- The file is whole.
UPDATE operations SET result = result || $2::jsonb WHERE no = $1

-- name: settle_cancelled
-- The parts of exports that are cancelled.
UPDATE operation_parts AS p SET state = 'undone', done = 0, awaited = NULL, moved_at = clock_timestamp()
FROM operations AS o WHERE o.no = p.operation AND o.operation = 'export' AND o.state = 'cancelling' AND p.state = 'commanded'

-- name: read_piece
-- A piece of a file.
SELECT bytes FROM operation_files WHERE operation = $1 AND run = $2 AND piece = $3
