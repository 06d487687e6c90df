-- name: retry_schedules
-- The schedules of these tenants; no row for tenants without their own.
SELECT tenant, version, schedule::text, changed_at, changed_by FROM retry_schedules WHERE tenant = ANY ($1::text[])

-- name: save_retry_schedule
-- Overwrite a version of a tenant's schedule; no row when the current version is another.
INSERT INTO retry_schedules AS s (tenant, version, schedule, changed_at, changed_by)
SELECT $1, 1, $3::jsonb, $4, $5
WHERE $2 = coalesce((SELECT o.version FROM retry_schedules AS o WHERE o.tenant = $1), 0)
ON CONFLICT (tenant) DO UPDATE
SET version = s.version + 1, schedule = excluded.schedule, changed_at = excluded.changed_at,
    changed_by = excluded.changed_by
WHERE s.version = $2
RETURNING version
