-- name: insert_job
-- A new job; one with the same id is the same request once more.
INSERT INTO jobs (id, kind, selection, requested_by, requested_at, rate, total, tenant, why, into_queue, canary, slow_start,
                  stop_after)
VALUES ($1, $2, $3, $4, clock_timestamp(), $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (id) DO NOTHING RETURNING id

-- name: set_total
-- How many a job has to do, once its set is frozen.
UPDATE jobs SET total = $2 WHERE id = $1

-- name: due_jobs
-- Running jobs of which the next part is due, the longest due first.
SELECT id FROM jobs WHERE state = 'running' AND next_at <= clock_timestamp() ORDER BY next_at, requested_at LIMIT 10

-- name: try_lock
-- Lock a job until the transaction ends, without keeping anybody from reading or stopping it.
SELECT pg_try_advisory_xact_lock(hashtextextended('job ' || $1::text, 0))

-- name: running_job
-- A job, if it still runs.
SELECT * FROM jobs WHERE id = $1 AND state = 'running'

-- name: advance_archive
-- How far an archive job is, where it continues, and when.
UPDATE jobs SET done = done + $2, next_offset = coalesce($3, next_offset),
       next_at = clock_timestamp() + $4::float8 * interval '1 second' WHERE id = $1

-- name: take_part
-- Note what a job has taken: each member's part and the digest of its bytes.
UPDATE job_dead_letters j SET part = g.part, digest = g.digest, state = g.state
FROM unnest($2::bigint[], $3::integer[], $4::text[], $5::text[]) AS g (position, part, digest, state)
WHERE j.job = $1 AND j.position = g.position

-- name: insert_parts
-- The messages that a job is about to send.
INSERT INTO job_parts (job, part, queue) SELECT $1, * FROM unnest($2::integer[], $3::text[])

-- name: advance
-- How far a job has come, and when it goes on.
UPDATE jobs SET position = $2, parts = parts + $3, pending = pending + $4, skipped = skipped + $5, done = done + $6, stage = $7,
       next_at = clock_timestamp() + $8::float8 * interval '1 second' WHERE id = $1

-- name: parts_sent
-- Parts that RabbitMQ has confirmed; returns how many dead letters that are.
WITH sent AS (
    UPDATE job_parts SET sent_at = clock_timestamp()
    WHERE job = $1 AND part = ANY($2::integer[]) AND sent_at IS NULL RETURNING part
)
UPDATE jobs SET done = done + (SELECT count(*) FROM job_dead_letters WHERE job = $1 AND part IN (SELECT part FROM sent))
WHERE id = $1

-- name: end_parts
-- Give the pending members of parts a state; the dead letters have it too. With digests only those of each part.
WITH ended AS (
    UPDATE job_dead_letters j SET state = $4
    FROM unnest($1::uuid[], $2::integer[], $3::text[]) AS g (job, part, digest)
    WHERE j.job = g.job AND j.part = g.part AND j.state = 'pending' AND (g.digest IS NULL OR j.digest = g.digest)
    RETURNING j.job, j.dead_letter
), changed AS (
    UPDATE dead_letters d SET state = $4, changed_at = now()
    FROM ended WHERE d.id = ended.dead_letter AND d.state = 'pending'
)
SELECT job, count(*) AS number FROM ended GROUP BY job

-- name: part_digests
-- The digests of the members of parts.
SELECT j.job, j.part, array_agg(j.digest) AS digests
FROM unnest($1::uuid[], $2::integer[]) AS g (job, part)
JOIN job_dead_letters j ON j.job = g.job AND j.part = g.part GROUP BY j.job, j.part

-- name: insert_archive_parts
-- The messages that a replay of the archive is about to send, numbered on.
WITH given AS (SELECT * FROM unnest($3::integer[]) WITH ORDINALITY AS g (events, n)),
     job AS (UPDATE jobs SET parts = parts + (SELECT count(*) FROM given) WHERE id = $1 RETURNING parts)
INSERT INTO job_parts (job, part, queue, events, sent_at)
SELECT $1, job.parts - n + 1, $2, events, clock_timestamp() FROM given, job RETURNING part, events

-- name: end_archive_parts
-- Parts of the archive that were heard of; they are counted once.
WITH ended AS (
    DELETE FROM job_parts p USING unnest($1::uuid[], $2::integer[], $3::integer[]) AS g (job, part, failed)
    WHERE p.job = g.job AND p.part = g.part AND p.events > 0 RETURNING p.job, p.events, least(g.failed, p.events) AS failed
), counts AS (
    SELECT job, sum(events - failed) AS processed, sum(failed) AS failed FROM ended GROUP BY job
)
UPDATE jobs SET processed = jobs.processed + counts.processed, failed = jobs.failed + counts.failed
FROM counts WHERE jobs.id = counts.job

-- name: in_flight
-- How many events of a replay of the archive the target has in hand; what it does not report for so long is forgotten.
SELECT coalesce(sum(events), 0) FROM job_parts
WHERE job = $1 AND events > 0 AND sent_at > clock_timestamp() - $2::float8 * interval '1 second'

-- name: part_outcomes
-- When parts were heard of.
UPDATE job_parts p SET outcome_at = clock_timestamp()
FROM unnest($1::uuid[], $2::integer[]) AS g (job, part)
WHERE p.job = g.job AND p.part = g.part AND p.outcome_at IS NULL

-- name: count_outcomes
-- Add to what a job knows; it pauses when too many failed again, and ends when nothing is pending any more.
UPDATE jobs SET
    pending = pending - $2 - $3 - $4, processed = processed + $2, failed = failed + $3,
    next_at = least(next_at, clock_timestamp() + interval '1 second'),
    state = CASE
        WHEN state = 'running' AND $3 > 0 AND failed + $3 > stop_after AND position < total THEN 'paused'
        WHEN state = 'waiting' AND pending <= $2 + $3 + $4 THEN CASE WHEN missing = '{}' THEN 'finished' ELSE 'failed' END
        ELSE state END,
    error = CASE WHEN state = 'running' AND $3 > 0 AND failed + $3 > stop_after AND position < total
        THEN failed + $3 || ' failed again: look at them, then resume or stop' ELSE error END,
    ended_at = CASE WHEN state = 'waiting' AND pending <= $2 + $3 + $4 THEN now() ELSE ended_at END
WHERE id = $1

-- name: sent_all
-- A job has sent all: it ends, or waits for what is pending.
UPDATE jobs SET
    state = CASE WHEN pending > 0 THEN 'waiting' WHEN missing = '{}' THEN 'finished' ELSE 'failed' END,
    error = CASE WHEN missing = '{}' THEN error ELSE 'no such queue: ' || array_to_string(missing, ', ')
        || '; its dead letters stay' END,
    ended_at = CASE WHEN pending > 0 THEN NULL ELSE now() END
WHERE id = $1 AND state = 'running'

-- name: unroutable
-- Parts that no queue took: their dead letters are as they were.
WITH back AS (
    UPDATE job_dead_letters SET state = 'unroutable'
    WHERE job = $1 AND part = ANY($2::integer[]) AND state = 'pending' RETURNING dead_letter
), changed AS (
    UPDATE dead_letters d SET state = 'dead' FROM back WHERE d.id = back.dead_letter AND d.state = 'pending'
), sent AS (
    UPDATE job_parts SET sent_at = clock_timestamp() WHERE job = $1 AND part = ANY($2)
)
UPDATE jobs SET pending = pending - (SELECT count(*) FROM back),
       missing = ARRAY(SELECT DISTINCT unnest(missing || $3::text[]) ORDER BY 1)
WHERE id = $1

-- name: end_job
-- End a job; one that has ended stays as it is.
UPDATE jobs SET state = $2, error = coalesce($3, error), ended_at = now()
WHERE id = $1 AND state IN ('running', 'waiting', 'paused')

-- name: pause_job
-- Pause a running job.
UPDATE jobs SET state = 'paused' WHERE id = $1 AND state = 'running'

-- name: resume_job
-- Let a paused job go on; as many more may fail again as from the beginning.
UPDATE jobs SET state = 'running', error = NULL, next_at = '-infinity', stage = 0, stop_after = stop_after + failed
WHERE id = $1 AND state = 'paused'

-- name: count_paused
-- How many jobs are paused.
SELECT count(*) FROM jobs WHERE state = 'paused'

-- name: list_jobs
-- Jobs of a tenant's operators, or all, newest first.
SELECT * FROM jobs
WHERE ($1::timestamptz IS NULL OR (requested_at, id) < ($1, $2::uuid)) AND ($4::text IS NULL OR tenant = $4)
ORDER BY requested_at DESC, id DESC LIMIT $3

-- name: get_job
-- One job of a tenant's operators, or any.
SELECT * FROM jobs WHERE id = $1 AND ($2::text IS NULL OR tenant = $2)
