-- name: hold_settings
-- Keep the settings of these tenants as they are until the transaction ends.
SELECT pg_advisory_xact_lock_shared(hashtextextended('blocklist.settings ' || tenant, 0))
FROM (SELECT tenant FROM unnest($1::text[]) AS tenant ORDER BY tenant) AS t

-- name: lock_settings
-- Wait until nobody decides by the settings of this tenant any more, and let nobody begin.
SELECT pg_advisory_xact_lock(hashtextextended('blocklist.settings ' || $1::text, 0))

-- name: settings
-- The settings of these tenants, of those that have any.
SELECT tenant, version, accepted_bounces, effects::text, changed_at, changed_by
FROM settings WHERE tenant = ANY ($1::text[])

-- name: save_settings
-- Write a tenant's settings.
INSERT INTO settings (tenant, version, accepted_bounces, effects, changed_at, changed_by)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant) DO UPDATE
SET version = excluded.version, accepted_bounces = excluded.accepted_bounces, effects = excluded.effects,
    changed_at = excluded.changed_at, changed_by = excluded.changed_by

-- name: start_reassessment
-- Have all addresses of a tenant looked at again, from the first.
INSERT INTO reassessments (tenant, cause, by, started_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant) DO UPDATE
SET cause = excluded.cause, by = excluded.by, started_at = excluded.started_at, finished_at = NULL, after = '',
    looked_at = 0

-- name: take_reassessment
-- Take a reassessment that nobody else has in hand.
SELECT tenant, cause, by, started_at, after FROM reassessments
WHERE finished_at IS NULL ORDER BY started_at LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: next_with_history
-- The addresses of the next lines of a tenant's history, some of them more than once.
SELECT address FROM history WHERE tenant = $1 AND address > $2 ORDER BY address LIMIT $3

-- name: advance_reassessment
-- Note how far a reassessment has come.
UPDATE reassessments SET after = $2, looked_at = looked_at + $3 WHERE tenant = $1

-- name: finish_reassessment
-- All have been looked at.
UPDATE reassessments SET finished_at = clock_timestamp() WHERE tenant = $1

-- name: reassessment
-- How far the last change of the settings has been applied.
SELECT started_at, finished_at, looked_at FROM reassessments WHERE tenant = $1
