-- name: keep_letters
-- Keep each letter once.
INSERT INTO dead_letters (id, failed_at, queue, exchange, routing_key, attempt, error, stack, fingerprint, content_type, body)
SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::text[],
                     $8::text[], $9::text[], $10::text[], $11::bytea[])
ON CONFLICT (id) DO NOTHING

-- name: groups
-- Letters of one state by what went wrong, most first.
SELECT fingerprint, queue, count(*) AS count, min(failed_at) AS first, max(failed_at) AS last, max(attempt) AS attempts,
       (array_agg(error ORDER BY failed_at DESC))[1] AS error
FROM dead_letters WHERE state = $1 GROUP BY fingerprint, queue ORDER BY count DESC, last DESC LIMIT 500

-- name: select_letters
-- A page of letters, newest first.
SELECT id, failed_at, queue, exchange, routing_key, attempt, error, fingerprint, content_type, octet_length(body) AS bytes,
       state, changed_at, changed_by
FROM dead_letters
WHERE state = $1 AND ($2::text IS NULL OR queue = $2) AND ($3::text IS NULL OR fingerprint = $3)
  AND ($4::timestamptz IS NULL OR failed_at >= $4) AND ($5::timestamptz IS NULL OR failed_at < $5)
  AND ($6::uuid[] IS NULL OR id = ANY($6))
ORDER BY failed_at DESC, id LIMIT $7 OFFSET $8

-- name: plan_letters
-- What a selection holds, by queue and by what went wrong.
SELECT queue, fingerprint, count(*) AS count, (array_agg(error))[1] AS error
FROM dead_letters
WHERE state = $1 AND ($2::text IS NULL OR queue = $2) AND ($3::text IS NULL OR fingerprint = $3)
  AND ($4::timestamptz IS NULL OR failed_at >= $4) AND ($5::timestamptz IS NULL OR failed_at < $5)
  AND ($6::uuid[] IS NULL OR id = ANY($6))
GROUP BY queue, fingerprint ORDER BY count DESC

-- name: take_letters
-- The next letters of a selection that were there when the job began, locked; none of queues that are gone.
SELECT id, queue, routing_key, attempt, content_type, body FROM dead_letters
WHERE state = $1 AND ($2::text IS NULL OR queue = $2) AND ($3::text IS NULL OR fingerprint = $3)
  AND ($4::timestamptz IS NULL OR failed_at >= $4) AND ($5::timestamptz IS NULL OR failed_at < $5)
  AND ($6::uuid[] IS NULL OR id = ANY($6)) AND ($7::boolean OR queue <> '')
  AND kept_at < $8 AND queue <> ALL($9::text[])
ORDER BY failed_at, id LIMIT $10 FOR UPDATE SKIP LOCKED

-- name: mark_letters
-- The new state of letters, and who gave it.
UPDATE dead_letters SET state = $2, changed_at = now(), changed_by = $3 WHERE id = ANY($1::uuid[])

-- name: show_letter
-- One letter with its bytes.
SELECT * FROM dead_letters WHERE id = $1

-- name: begin_job
-- A new job.
INSERT INTO jobs (id, kind, selection, requested_by, requested_at, rate, total, position)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: take_job
-- The oldest job that runs and that no other worker has in hand.
SELECT * FROM jobs WHERE state = 'running' ORDER BY requested_at LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: move_job
-- How far a job is, and where it goes on.
UPDATE jobs SET done = done + $2, position = coalesce($3, position) WHERE id = $1

-- name: miss_queues
-- Queues that a job found gone; returns all of them.
UPDATE jobs SET missing = ARRAY(SELECT DISTINCT unnest(missing || $2::text[]) ORDER BY 1) WHERE id = $1 RETURNING missing

-- name: end_job
-- How a job ended.
UPDATE jobs SET state = $2, error = $3, ended_at = now() WHERE id = $1 AND state = 'running'

-- name: list_jobs
-- Jobs, newest first: the audit of what operators did.
SELECT * FROM jobs WHERE ($1::uuid IS NULL OR id = $1) ORDER BY requested_at DESC LIMIT 100

-- name: purge_letters
-- Forget letters from before a time. By when they came: what a letter says of its time may be wrong.
DELETE FROM dead_letters WHERE coalesce(changed_at, kept_at) < $1
