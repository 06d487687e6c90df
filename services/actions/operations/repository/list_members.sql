-- name: create_list
-- A new selection or project.
INSERT INTO lists (tenant, kind, list, name, name_at, name_key, folded) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING

-- name: remove_if_empty
-- Remove a list without members, of whom nothing else was said either.
DELETE FROM lists AS l WHERE l.tenant = $1 AND l.kind = $2 AND l.list = $3
  AND NOT EXISTS (SELECT FROM list_members AS m WHERE m.tenant = $1 AND m.kind = $2 AND m.list = $3)
RETURNING l.list

-- name: deleted
-- Whether a list is deleted; no row when it does not exist.
SELECT deleted FROM lists WHERE tenant = $1 AND kind = $2 AND list = $3

-- name: lock_deleted
-- Lock a list, and say whether it is deleted; no row when it does not exist.
SELECT deleted FROM lists WHERE tenant = $1 AND kind = $2 AND list = $3 FOR UPDATE

-- name: rows_to_skip
-- Rows of a part whose contact has gone since the preview, and why.
SELECT seq, why FROM (SELECT c.seq, {skip} AS why FROM operation_rows AS c
                      WHERE c.operation = $1 AND c.seq BETWEEN $3 AND $4 AND c.outcome IS NULL) AS w
WHERE why IS NOT NULL

-- name: contacts
-- Whose the addresses of the open rows of a part are. OFFSET 0 keeps the planner to look-ups by key.
SELECT DISTINCT o.contact
FROM operation_rows AS r
CROSS JOIN LATERAL (
    SELECT a.contact FROM contact_addresses AS a JOIN contacts AS c ON c.tenant = a.tenant AND c.contact = a.contact
    WHERE a.tenant = $2 AND a.address = r.address AND ($5 OR NOT c.former_employee) OFFSET 0) AS o
WHERE r.operation = $1 AND r.seq BETWEEN $3 AND $4 AND r.outcome IS NULL

-- name: keep_non_members
-- Keep what is known of contacts that are no members, before they are made members.
INSERT INTO operation_undo_values (operation, part, id, value)
SELECT $1, $2, m.contact, jsonb_build_object('told_at', m.told_at, 'operation', m.operation)
FROM list_members AS m
WHERE m.tenant = $3 AND m.kind = $4 AND m.list = $5 AND m.contact = ANY ($6::text[]) AND NOT m.member AND m.told_at < $7

-- name: add_members
-- Make contacts members, in the order of their keys; returns those that were none.
INSERT INTO list_members AS m (tenant, kind, list, contact, member, told_at, operation)
SELECT $1, $2, $3, unnest($4::text[]), true, $5::timestamptz, $6::bigint
ON CONFLICT (tenant, kind, list, contact) DO UPDATE
SET member = true, told_at = excluded.told_at, operation = excluded.operation
WHERE NOT m.member AND m.told_at < excluded.told_at
RETURNING m.contact

-- name: remove_members
-- Remove those of these contacts that an operation made members; returns them.
DELETE FROM list_members AS m
WHERE m.tenant = $1 AND m.kind = $2 AND m.list = $3 AND m.contact = ANY ($4::text[]) AND m.told_at = $5
  AND m.operation = $6 AND m.member
RETURNING m.contact

-- name: remove_rest
-- Remove the other contacts that an operation made members: their addresses have changed hands since.
DELETE FROM list_members AS m
WHERE m.tenant = $2 AND m.kind = $3 AND m.list = $4 AND m.operation = $1 AND m.told_at = $5 AND m.member
RETURNING m.contact

-- name: restore_non_members
-- Restore what was known of contacts that were no members.
INSERT INTO list_members (tenant, kind, list, contact, member, told_at, operation)
SELECT $2, $4, $5, b.id, false, (b.value ->> 'told_at')::timestamptz, (b.value ->> 'operation')::bigint
FROM operation_undo_values AS b WHERE b.operation = $1 AND b.part = $3 ON CONFLICT DO NOTHING

-- name: grow
-- A list has more or fewer members.
UPDATE lists SET size = size + $4, version = version + 1 WHERE tenant = $1 AND kind = $2 AND list = $3
