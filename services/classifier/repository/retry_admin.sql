-- name: count_selected
-- Count the retries that match a selection: those that could be dropped, run at a moment, or resumed.
SELECT count(*) FROM retries AS r
LEFT JOIN outcomes AS s ON s.recipient = r.recipient AND s.time >= r.times[cardinality(r.times)]
LEFT JOIN blocks AS b ON b.tenant = r.tenant AND b.address = r.address
WHERE r.tenant = $1
  AND CASE $2 WHEN 'drop' THEN (r.due IS NOT NULL OR r.state = 'paused') AND s.state IS NULL AND b.blocked IS NOT TRUE
              WHEN 'run_now' THEN r.due > $3 AND s.state IS NULL AND b.blocked IS NOT TRUE
              WHEN 'resume' THEN r.kept_due IS NOT NULL END
  AND ($4::bytea[] IS NULL OR r.recipient = ANY ($4)) AND ($5::text IS NULL OR r.mailing = $5)
  AND ($6::text IS NULL OR r.domain = $6) AND ($7::text IS NULL OR r.reason = $7) AND ($8::text IS NULL OR r.sender = $8)

-- name: lock_selected
-- Lock the next retries that match a selection.
SELECT r.recipient FROM retries AS r
LEFT JOIN outcomes AS s ON s.recipient = r.recipient AND s.time >= r.times[cardinality(r.times)]
LEFT JOIN blocks AS b ON b.tenant = r.tenant AND b.address = r.address
WHERE r.tenant = $1
  AND CASE $2 WHEN 'drop' THEN (r.due IS NOT NULL OR r.state = 'paused') AND s.state IS NULL AND b.blocked IS NOT TRUE
              WHEN 'run_now' THEN r.due > $3 AND s.state IS NULL AND b.blocked IS NOT TRUE
              WHEN 'resume' THEN r.kept_due IS NOT NULL END
  AND ($4::bytea[] IS NULL OR r.recipient = ANY ($4)) AND ($5::text IS NULL OR r.mailing = $5)
  AND ($6::text IS NULL OR r.domain = $6) AND ($7::text IS NULL OR r.reason = $7) AND ($8::text IS NULL OR r.sender = $8)
ORDER BY r.recipient LIMIT $9 FOR UPDATE OF r

-- name: drop
-- Drop locked retries; their due time is kept.
UPDATE retries SET state = 'dropped', kept_due = coalesce(due, paused_due), due = NULL, paused_due = NULL
WHERE recipient = ANY ($1::bytea[])

-- name: run_now
-- Make locked retries due at a moment.
UPDATE retries SET due = $2 WHERE recipient = ANY ($1::bytea[])

-- name: resume
-- Make locked retries wait again, except those with an outcome since they were dropped.
UPDATE retries SET
    state = CASE WHEN state = 'dropped' AND due IS NULL THEN 'waiting' ELSE state END,
    due = CASE WHEN state = 'dropped' AND due IS NULL THEN kept_due ELSE due END,
    kept_due = NULL
WHERE recipient = ANY ($1::bytea[])

-- name: add_action
-- Record an action of an operator.
INSERT INTO retry_actions (tenant, time, actor, action, selection, retries) VALUES ($1, $2, $3, $4, $5::jsonb, $6)

-- name: list_actions
-- What was done with pending retries, newest first.
SELECT id, time, actor, action, selection::text, retries FROM retry_actions
WHERE tenant = $1 AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
