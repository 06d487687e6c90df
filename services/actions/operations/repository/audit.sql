-- name: add_audit
-- Who did what to how many rows, of which target.
INSERT INTO audit (tenant, time, who, what, how_many, note, operation_id, target)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING

-- name: page_of_audit
-- A page of the audit, newest first.
SELECT id, time, who, what, how_many, note, operation_id, target FROM audit
WHERE tenant = $1 AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
