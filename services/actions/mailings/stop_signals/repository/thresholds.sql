-- name: thresholds
-- The thresholds of a tenant; no row where it has none of its own.
SELECT version, thresholds::text, changed_at, changed_by, note FROM stop_signal_settings WHERE tenant = $1

-- name: save
-- Overwrite a version of a tenant's thresholds; no row when the current version is another.
INSERT INTO stop_signal_settings AS s (tenant, version, thresholds, changed_at, changed_by, note)
SELECT $1, 1, $3::jsonb, $4, $5, $6
WHERE $2 = coalesce((SELECT o.version FROM stop_signal_settings AS o WHERE o.tenant = $1), 0)
ON CONFLICT (tenant) DO UPDATE
SET version = s.version + 1, thresholds = excluded.thresholds, changed_at = excluded.changed_at,
    changed_by = excluded.changed_by, note = excluded.note
WHERE s.version = $2
RETURNING version
