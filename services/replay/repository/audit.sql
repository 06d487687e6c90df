-- name: insert_audit
-- Note what an operator did, and why.
INSERT INTO audit (who, tenant, action, target, why, details, event) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (event) DO NOTHING

-- name: list_audit
-- What a tenant's operators did, or all, latest first.
SELECT number, at, who, tenant, action, target, why, details::text AS details FROM audit
WHERE ($1::text IS NULL OR tenant = $1) AND ($2::bigint IS NULL OR number < $2) ORDER BY number DESC LIMIT $3

-- name: put_note
-- The note on a group.
INSERT INTO group_notes (scope, fingerprint, status, owner, note, changed_at, changed_by)
VALUES ($1, $2, $3, $4, $5, clock_timestamp(), $6)
ON CONFLICT (scope, fingerprint) DO UPDATE
SET status = excluded.status, owner = excluded.owner, note = excluded.note, changed_at = excluded.changed_at,
    changed_by = excluded.changed_by

-- name: get_note
-- The note on a group.
SELECT fingerprint, status, owner, note, changed_at, changed_by FROM group_notes WHERE scope = $1 AND fingerprint = $2
