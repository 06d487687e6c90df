-- name: add
-- Add a webhook; nothing comes back when its name is taken.
INSERT INTO webhooks (id, tenant, name, url, secret, start_at, created_at, created_by, changed_at, changed_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7, $8) ON CONFLICT (tenant, name) DO NOTHING RETURNING *

-- name: of_tenant
-- All webhooks of a tenant.
SELECT * FROM webhooks WHERE tenant = $1 ORDER BY name

-- name: one
-- One webhook of a tenant.
SELECT * FROM webhooks WHERE tenant = $1 AND name = $2

-- name: lock
-- The same, until the transaction ends nobody else's to change.
SELECT * FROM webhooks WHERE tenant = $1 AND name = $2 FOR UPDATE

-- name: change
-- Change where a webhook goes, and whether it does.
UPDATE webhooks
SET url = $2, enabled = $3, disabled_why = CASE WHEN $3 THEN NULL ELSE $4 END, version = version + 1, generation = generation + 1,
    changed_at = $5, changed_by = $6
WHERE id = $1 RETURNING *

-- name: rotate
-- Give a webhook another secret; the one before still signs for a while.
UPDATE webhooks
SET secret = $2, old_secret = secret, old_secret_until = $3, version = version + 1, generation = generation + 1,
    changed_at = $4, changed_by = $5
WHERE id = $1 RETURNING *

-- name: secrets_ending
-- Old secrets that sign until a time between two.
SELECT id, tenant, name, old_secret_until FROM webhooks
WHERE old_secret_until > $1 AND old_secret_until <= $2 ORDER BY old_secret_until, id

-- name: remove
-- Remove a webhook, and what was posted to it.
DELETE FROM webhooks WHERE tenant = $1 AND name = $2 RETURNING id

-- name: disable
-- Post nothing more until somebody enables it.
UPDATE webhooks SET enabled = false, disabled_why = $2, version = version + 1, generation = generation + 1, changed_at = $3,
                    changed_by = $4
WHERE id = $1 AND enabled RETURNING id

-- name: send_from
-- Begin at a time; what is open is forgotten, since it comes again if it is as new.
WITH forgotten AS (
    UPDATE webhook_deliveries SET state = 'superseded', done_at = $3 WHERE webhook = $1 AND state = 'open'
)
UPDATE webhooks SET start_at = $2, last_offset = NULL, generation = generation + 1 WHERE id = $1

-- name: reopen
-- Have what is open tried at once.
UPDATE webhook_deliveries SET due_at = $2, attempts = 0 WHERE webhook = $1 AND state = 'open'

-- name: deliver_again
-- Post one again.
WITH again AS (
    UPDATE webhook_deliveries SET state = 'open', due_at = $3, attempts = 0, done_at = NULL
    WHERE webhook = $1 AND id = $2 RETURNING webhook
)
UPDATE webhooks SET generation = generation + 1 WHERE id = (SELECT webhook FROM again) RETURNING id

-- name: lease
-- Lease the webhooks that nobody posts for, and keep those that one has.
UPDATE webhooks SET leased_by = $1, leased_until = clock_timestamp() + $2::interval
WHERE enabled AND (leased_until IS NULL OR leased_until < clock_timestamp()
                   OR (leased_by = $1 AND leased_until < clock_timestamp() + $2::interval * 0.7))

-- name: leased
-- The webhooks that one posts for.
SELECT * FROM webhooks WHERE enabled AND leased_by = $1 AND leased_until > clock_timestamp()

-- name: release
-- Leave them to others.
UPDATE webhooks SET leased_by = NULL, leased_until = NULL WHERE leased_by = $1

-- name: open
-- What is to be posted first.
SELECT id, first_offset, last_offset, events, due_at, attempts FROM webhook_deliveries
WHERE webhook = $1 AND state = 'open' ORDER BY first_offset, id LIMIT 1

-- name: last_done
-- What became of the last one that was delivered or given up.
SELECT state FROM webhook_deliveries WHERE webhook = $1 AND state IN ('delivered', 'skipped')
ORDER BY done_at DESC LIMIT 1

-- name: form
-- Note what is posted next, and from where on the stream is read after it.
WITH moved AS (
    UPDATE webhooks SET last_offset = $5 WHERE id = $1 AND generation = $7 AND leased_by = $8 RETURNING id
)
INSERT INTO webhook_deliveries AS d (webhook, id, first_offset, last_offset, events, formed_at, due_at)
SELECT id, $2, $4, $5, $3, $6, $6 FROM moved
ON CONFLICT (webhook, id) DO UPDATE SET state = 'open', due_at = excluded.due_at, attempts = 0, done_at = NULL
RETURNING id, first_offset, last_offset, events, due_at, attempts

-- name: lost
-- Note that the stream no longer has what was to be posted.
UPDATE webhook_deliveries SET state = 'lost', done_at = $3, problem = 'the stream no longer has it'
WHERE webhook = $1 AND id = $2

-- name: tried
-- Note one attempt.
UPDATE webhook_deliveries
SET state = $3, attempts = attempts + 1, status = $4, problem = $5, due_at = coalesce($6, due_at),
    done_at = CASE WHEN $3 <> 'open' THEN $7::timestamptz END,
    tries = tries || jsonb_build_array($8::jsonb)
WHERE webhook = $1 AND id = $2

-- name: deliveries
-- A page of what was posted, newest first, in one state if it is given.
SELECT id, state, events, formed_at, due_at, done_at, attempts, status, problem
FROM webhook_deliveries
WHERE webhook = $1 AND ($2::text IS NULL OR state = $2)
  AND ($3::timestamptz IS NULL OR (formed_at, id) < ($3, $4::text))
ORDER BY formed_at DESC, id DESC LIMIT $5

-- name: delivery
-- One of them.
SELECT id, state, events, first_offset, last_offset, formed_at, due_at, done_at, attempts, status, problem, tries::text
FROM webhook_deliveries WHERE webhook = $1 AND id = $2

-- name: deliveries_of
-- With which delivery of each webhook of a tenant some parts of the stream were posted, or none yet when they are to come.
SELECT place.no, w.name AS webhook, w.enabled, d.id, d.state, d.formed_at, d.due_at, d.done_at, d.attempts, d.status, d.problem
FROM unnest($2::bigint[], $3::timestamptz[]) WITH ORDINALITY AS place (at, time, no)
CROSS JOIN webhooks AS w
LEFT JOIN webhook_deliveries AS d
    ON d.webhook = w.id AND d.formed_at >= $4 AND place.at BETWEEN d.first_offset AND d.last_offset
WHERE w.tenant = $1 AND (d.id IS NOT NULL OR coalesce(w.last_offset < place.at, w.start_at <= place.time))
ORDER BY place.no, w.name, d.formed_at, d.id LIMIT 1000

-- name: prune
-- Forget what was posted long ago.
DELETE FROM webhook_deliveries WHERE state <> 'open' AND done_at < $1
