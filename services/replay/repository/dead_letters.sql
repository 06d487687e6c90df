-- name: insert_dead_letters
-- Keep each dead letter once. The same message that has failed anew, and not only come again, is dead again.
INSERT INTO dead_letters (id, failed_at, queue, exchange, routing_key, attempt, error, stack, fingerprint, content_type, body,
                          published_by)
SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::text[],
                     $8::text[], $9::text[], $10::text[], $11::bytea[], $12::text[])
ON CONFLICT (id) DO UPDATE SET failed_at = excluded.failed_at, error = excluded.error, stack = excluded.stack,
                               fingerprint = excluded.fingerprint, state = 'dead', kept_at = clock_timestamp()
WHERE excluded.failed_at > coalesce(dead_letters.changed_at, dead_letters.failed_at)

-- name: group_dead_letters
-- Dead letters in one state by queue and failure, most frequent first.
SELECT fingerprint, queue, count(*) AS count, min(failed_at) AS first, max(failed_at) AS last, max(attempt) AS attempts,
       (array_agg(error ORDER BY failed_at DESC))[1] AS error
FROM dead_letters WHERE state = $1 GROUP BY fingerprint, queue ORDER BY count DESC, last DESC LIMIT 500

-- name: list_dead_letters
-- A page of dead letters, newest first.
SELECT id, failed_at, queue, exchange, routing_key, published_by, attempt, error, fingerprint, content_type, octet_length(body) AS bytes,
       state, changed_at, changed_by
FROM dead_letters
WHERE state = $1 AND ($2::text IS NULL OR queue = $2) AND ($3::text IS NULL OR fingerprint = $3)
  AND ($4::timestamptz IS NULL OR failed_at >= $4) AND ($5::timestamptz IS NULL OR failed_at < $5)
  AND ($6::uuid[] IS NULL OR id = ANY($6))
  AND ($7::timestamptz IS NULL OR (failed_at, id) < ($7, $8::uuid))
ORDER BY failed_at DESC, id DESC LIMIT $9

-- name: count_selected
-- Count the dead letters of a selection by queue and failure.
SELECT queue, fingerprint, count(*) AS count, (array_agg(error))[1] AS error
FROM dead_letters
WHERE state = $1 AND ($2::text IS NULL OR queue = $2) AND ($3::text IS NULL OR fingerprint = $3)
  AND ($4::timestamptz IS NULL OR failed_at >= $4) AND ($5::timestamptz IS NULL OR failed_at < $5)
  AND ($6::uuid[] IS NULL OR id = ANY($6))
GROUP BY queue, fingerprint ORDER BY count DESC

-- name: lock_selected
-- Lock the next dead letters of a selection that were there when the job began, except those of missing queues.
SELECT id, queue, exchange, routing_key, published_by, attempt, content_type, body FROM dead_letters
WHERE state = $1 AND ($2::text IS NULL OR queue = $2) AND ($3::text IS NULL OR fingerprint = $3)
  AND ($4::timestamptz IS NULL OR failed_at >= $4) AND ($5::timestamptz IS NULL OR failed_at < $5)
  AND ($6::uuid[] IS NULL OR id = ANY($6)) AND ($7::boolean OR queue <> '')
  AND kept_at < $8 AND queue <> ALL($9::text[])
ORDER BY failed_at, id LIMIT $10 FOR UPDATE SKIP LOCKED

-- name: set_state
-- Set the state of dead letters, and who changed it.
UPDATE dead_letters SET state = $2, changed_at = now(), changed_by = $3 WHERE id = ANY($1::uuid[])

-- name: get_dead_letter
-- One dead letter with its body.
SELECT * FROM dead_letters WHERE id = $1

-- name: purge_dead_letters
-- Delete dead letters by when they arrived: the time that a message claims may be wrong.
DELETE FROM dead_letters WHERE coalesce(changed_at, kept_at) < $1
