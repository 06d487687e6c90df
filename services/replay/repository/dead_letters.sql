-- name: conditions
-- A selection of dead letters: the first parameters of every query that has one.
($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR tenant = $2) AND ($3::text IS NULL OR queue = $3)
  AND ($4::text IS NULL OR fingerprint = $4) AND ($5::text IS NULL OR error_type = $5)
  AND ($6::text IS NULL OR event_type = $6) AND ($7::text IS NULL OR tenant = $7) AND ($8::text IS NULL OR mailing = $8)
  AND ($9::text IS NULL OR event_id = $9) AND ($10::text IS NULL OR release = $10)
  AND ($11::text IS NULL OR strpos(lower(error), lower($11)) > 0)
  AND ($12::timestamptz IS NULL OR failed_at >= $12) AND ($13::timestamptz IS NULL OR failed_at < $13)
  AND ($14::uuid[] IS NULL OR id = ANY($14))
  AND ($15::uuid IS NULL OR id IN (SELECT dead_letter FROM job_dead_letters WHERE job = $15))

-- name: insert_dead_letters
-- Keep each dead letter once; the same message that has failed anew, and not only come again, is dead again.
-- One that came of a replay has the place and the first failure of the one before.
INSERT INTO dead_letters (id, failed_at, queue, exchange, routing_key, attempt, error, error_type, stack, fingerprint,
                          content_type, release, headers, body, event_type, event_id, tenant, mailing, obstacle, previous,
                          first_failed_at, published_by)
SELECT g.id, g.failed_at, g.queue, coalesce(p.exchange, g.exchange), coalesce(p.routing_key, g.routing_key), g.attempt,
       g.error, g.error_type, g.stack, g.fingerprint, g.content_type, g.release, g.headers::jsonb, g.body, g.event_type,
       g.event_id, coalesce(p.tenant, g.tenant), g.mailing, g.obstacle, p.id, coalesce(p.first_failed_at, g.failed_at),
       g.published_by
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::text[], $8::text[],
            $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bytea[], $15::text[], $16::text[],
            $17::text[], $18::text[], $19::text[], $20::uuid[], $21::integer[], $22::text[], $23::text[])
     AS g (id, failed_at, queue, exchange, routing_key, attempt, error, error_type, stack, fingerprint, content_type, release,
           headers, body, event_type, event_id, tenant, mailing, obstacle, job, part, digest, published_by)
LEFT JOIN LATERAL (
    -- Of its part the one with the same bytes; a part of one is that one.
    SELECT d.id, d.exchange, d.routing_key, d.tenant, d.first_failed_at
    FROM job_dead_letters j JOIN dead_letters d ON d.id = j.dead_letter
    WHERE j.job = g.job AND j.part = g.part
      AND (j.digest = g.digest OR NOT EXISTS (
          SELECT FROM job_dead_letters o WHERE o.job = g.job AND o.part = g.part AND o.position <> j.position))
    ORDER BY j.position LIMIT 1
) p ON true
ON CONFLICT (id) DO UPDATE SET failed_at = excluded.failed_at, error = excluded.error, stack = excluded.stack,
    fingerprint = excluded.fingerprint, release = excluded.release, state = 'dead', kept_at = clock_timestamp()
WHERE excluded.failed_at > coalesce(dead_letters.changed_at, dead_letters.failed_at)

-- name: new_fingerprints
-- Which of these failures no dead letter has that is dead.
SELECT f.fingerprint FROM unnest($1::text[]) AS f (fingerprint)
WHERE NOT EXISTS (SELECT FROM dead_letters d WHERE d.state = 'dead' AND d.fingerprint = f.fingerprint)

-- name: group_dead_letters
-- Dead letters by any of six fields, most frequent first, each group with its latest error and the note on it.
SELECT g.fingerprint, g.queue, g.type, g.tenant, g.hour, g.release, g.count, g.first, g.last, g.attempts, g.bytes,
       d.error, d.error_type, d.id AS sample, n.status, n.owner, n.note
FROM (
    SELECT CASE WHEN 'fingerprint' = ANY($16::text[]) THEN fingerprint END AS fingerprint,
           CASE WHEN 'queue' = ANY($16) THEN queue END AS queue,
           CASE WHEN 'type' = ANY($16) THEN event_type END AS type,
           CASE WHEN 'tenant' = ANY($16) THEN tenant END AS tenant,
           CASE WHEN 'hour' = ANY($16) THEN date_trunc('hour', failed_at) END AS hour,
           CASE WHEN 'release' = ANY($16) THEN release END AS release,
           count(*) AS count, min(coalesce(first_failed_at, failed_at)) AS first, max(failed_at) AS last,
           max(attempt) AS attempts, sum(bytes)::bigint AS bytes, max(number) AS newest
    FROM dead_letters WHERE {conditions}
    GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY count DESC, last DESC LIMIT 500
) g
JOIN dead_letters d ON d.number = g.newest
LEFT JOIN group_notes n ON n.fingerprint = g.fingerprint AND n.scope = $17
ORDER BY g.count DESC, g.last DESC

-- name: list_dead_letters
-- A page of dead letters, the latest arrivals first.
SELECT id, number, failed_at, first_failed_at, queue, exchange, routing_key, published_by, attempt, error, error_type, fingerprint,
       content_type, release, event_type, event_id, tenant, mailing, obstacle, previous, edited_from, bytes, state,
       changed_at, changed_by
FROM dead_letters
WHERE {conditions} AND ($16::bigint IS NULL OR number < $16)
ORDER BY number DESC LIMIT $17

-- name: dead_letters_of_events
-- What became of events that a service could not process, oldest failure first.
SELECT id, number, failed_at, first_failed_at, queue, exchange, routing_key, published_by, attempt, error, error_type, fingerprint,
       content_type, release, event_type, event_id, tenant, mailing, obstacle, previous, edited_from, bytes, state,
       changed_at, changed_by
FROM dead_letters
WHERE event_id <> '' AND event_id = ANY($1::text[]) AND ($2::text IS NULL OR tenant = $2)
ORDER BY failed_at, number LIMIT 1000

-- name: count_dead_letters
-- How many dead letters there are of a selection.
SELECT count(*) FROM dead_letters WHERE {conditions}

-- name: plan_dead_letters
-- Count a selection by queue and failure, by tenant, and by queue, type, way of publishing and what stands in the way,
-- in one pass.
SELECT GROUPING(fingerprint) = 0 AS of_group, GROUPING(tenant) = 0 AS of_tenant, GROUPING(obstacle) = 0 AS of_obstacle,
       queue, fingerprint, event_type, exchange, routing_key, tenant, obstacle, count(*) AS count, min(error) AS error
FROM dead_letters WHERE {conditions}
GROUP BY GROUPING SETS ((queue, fingerprint), (tenant), (obstacle, queue, event_type, exchange, routing_key))
ORDER BY count DESC

-- name: sample_dead_letters
-- Some of a selection, for the plan.
SELECT id FROM dead_letters WHERE {conditions} ORDER BY number DESC LIMIT 5

-- name: freeze
-- The set of a job, oldest failure first.
INSERT INTO job_dead_letters (job, position, dead_letter)
SELECT $16::uuid, row_number() OVER (ORDER BY failed_at, number), id
FROM dead_letters
WHERE {conditions} AND ($17::text[] IS NULL OR obstacle = ANY($17))
  AND ($18::text[] IS NULL OR (event_type, exchange, routing_key) IN (
      SELECT * FROM unnest($18::text[], $19::text[], $20::text[])))

-- name: take
-- Lock the next of a job's set; those that are gone or in another state by now say so.
SELECT j.position, d.id, d.queue, d.exchange, d.routing_key, d.published_by, d.attempt, d.content_type, d.event_type, d.event_id,
       d.headers::text AS headers, d.body
FROM (SELECT position, dead_letter FROM job_dead_letters WHERE job = $1 AND position > $2 ORDER BY position LIMIT $3) j
JOIN dead_letters d ON d.id = j.dead_letter AND d.state = $4 ORDER BY d.id FOR UPDATE OF d

-- name: drained
-- What was drained from a queue and is still dead, in the order of the queue, behind a place.
SELECT failed_at, number, queue, exchange, routing_key, published_by, attempt, content_type, headers::text AS headers, body
FROM dead_letters
WHERE queue = $1 AND fingerprint = $2 AND state = 'dead' AND ($3::timestamptz IS NULL OR (failed_at, number) > ($3, $4::bigint))
ORDER BY failed_at, number LIMIT $5

-- name: set_state
-- Set the state of dead letters, and who changed it.
UPDATE dead_letters SET state = $2, changed_at = now(), changed_by = $3 WHERE id = ANY($1::uuid[])

-- name: unsent
-- Members of parts that were taken and perhaps not sent: the service stopped in between.
SELECT j.position, j.part, p.queue AS target, p.outcome_at IS NOT NULL AS heard_of, d.id, d.queue, d.exchange, d.routing_key,
       d.published_by, d.attempt, d.content_type, d.event_type, d.event_id, d.headers::text AS headers, d.body, j.digest
FROM job_parts p JOIN job_dead_letters j ON j.job = p.job AND j.part = p.part JOIN dead_letters d ON d.id = j.dead_letter
WHERE p.job = $1 AND p.sent_at IS NULL ORDER BY j.part, j.position

-- name: get_dead_letter
-- One dead letter of a tenant, or of any, without its body.
SELECT id, failed_at, first_failed_at, queue, exchange, routing_key, published_by, attempt, error, error_type, stack, fingerprint,
       content_type, release, headers::text AS headers, event_type, event_id, tenant, mailing, obstacle, previous, edited_from,
       bytes, state, kept_at, changed_at, changed_by
FROM dead_letters WHERE id = $1 AND ($2::text IS NULL OR tenant = $2)

-- name: get_body
-- The bytes of one dead letter of a tenant, or of any.
SELECT body FROM dead_letters WHERE id = $1 AND ($2::text IS NULL OR tenant = $2)

-- name: history
-- All dead letters that one is linked with: each failed again as the next, or was edited into it.
WITH RECURSIVE linked AS (
    SELECT id, previous, edited_from FROM dead_letters WHERE id = $1
    UNION
    SELECT d.id, d.previous, d.edited_from FROM dead_letters d JOIN linked l
      ON d.id IN (l.previous, l.edited_from) OR d.previous = l.id OR d.edited_from = l.id
)
SELECT d.id, d.failed_at, d.queue, d.attempt, d.error, d.state, d.changed_at, d.changed_by, d.previous, d.edited_from, j.jobs
FROM linked JOIN dead_letters d USING (id)
CROSS JOIN LATERAL (SELECT coalesce(array_agg(job::text), '{}') AS jobs FROM job_dead_letters WHERE dead_letter = d.id) j
ORDER BY d.failed_at, d.number

-- name: count_by_state
-- How many dead letters there are in each state.
SELECT state, count(*) AS count FROM dead_letters GROUP BY state

-- name: purge_dead_letters
-- Delete dead letters by when they arrived: the time that a message claims may be wrong.
DELETE FROM dead_letters WHERE coalesce(changed_at, kept_at) < $1

-- name: get_bodies
-- The bytes of some dead letters.
SELECT id, body FROM dead_letters WHERE id = ANY($1::uuid[])

-- name: replace_by
-- An edited dead letter takes the place of one that is dead.
WITH original AS (
    UPDATE dead_letters SET state = 'edited', changed_at = now(), changed_by = $3
    WHERE id = $1 AND state = 'dead' RETURNING id, first_failed_at
)
UPDATE dead_letters d SET edited_from = original.id, first_failed_at = original.first_failed_at
FROM original WHERE d.id = $2 RETURNING d.id
