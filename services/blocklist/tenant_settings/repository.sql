-- name: hold
-- Keep the settings of these tenants as they are until the transaction ends.
SELECT pg_advisory_xact_lock_shared(hashtextextended('blocklist.settings ' || tenant, 0))
FROM (SELECT tenant FROM unnest($1::text[]) AS tenant ORDER BY tenant) AS t

-- name: lock
-- Wait until nobody decides by the settings of this tenant any more, and let nobody begin.
SELECT pg_advisory_xact_lock(hashtextextended('blocklist.settings ' || $1::text, 0))

-- name: current
-- The settings of these tenants, of those that have any.
SELECT tenant, version, accepted_bounces, effects::text, rules::text, changed_at, changed_by, note
FROM settings WHERE tenant = ANY ($1::text[])

-- name: save
-- Write a tenant's settings, and keep them as a version.
WITH saved AS (
    INSERT INTO settings (tenant, version, accepted_bounces, effects, rules, changed_at, changed_by, note)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (tenant) DO UPDATE
    SET version = excluded.version, accepted_bounces = excluded.accepted_bounces, effects = excluded.effects,
        rules = excluded.rules, changed_at = excluded.changed_at, changed_by = excluded.changed_by, note = excluded.note
    RETURNING *
)
INSERT INTO settings_versions (tenant, version, accepted_bounces, effects, rules, changed_at, changed_by, note)
SELECT tenant, version, accepted_bounces, effects, rules, changed_at, changed_by, note FROM saved

-- name: versions
-- The newest versions of a tenant's settings, below a version if one is given.
SELECT tenant, version, accepted_bounces, effects::text, rules::text, changed_at, changed_by, note
FROM settings_versions WHERE tenant = $1 AND ($2::integer IS NULL OR version < $2) ORDER BY version DESC LIMIT $3

-- name: version
-- One version of a tenant's settings.
SELECT tenant, version, accepted_bounces, effects::text, rules::text, changed_at, changed_by, note
FROM settings_versions WHERE tenant = $1 AND version = $2
