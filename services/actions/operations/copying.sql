-- name: make_list
-- A new selection or project.
INSERT INTO lists (tenant, kind, list, name, name_at, name_key, folded) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING

-- name: unmake_list
-- Remove a list that nobody else has put anybody into.
DELETE FROM lists AS l WHERE l.tenant = $1 AND l.kind = $2 AND l.list = $3
  AND NOT EXISTS (SELECT FROM list_members AS m WHERE m.tenant = $1 AND m.kind = $2 AND m.list = $3)
RETURNING l.list

-- name: list
-- A list.
SELECT name, deleted FROM lists WHERE tenant = $1 AND kind = $2 AND list = $3

-- name: hold_list
-- Take a list in hand.
SELECT name, deleted FROM lists WHERE tenant = $1 AND kind = $2 AND list = $3 FOR UPDATE

-- name: skip_rows
-- Rows of a part whose contact has gone since the preview.
UPDATE operation_rows AS r SET outcome = 'skipped', why = w.why
FROM (SELECT c.seq, {skip} AS why FROM operation_rows AS c
      WHERE c.operation = $1 AND c.seq BETWEEN $3 AND $4 AND c.outcome IS NULL) AS w
WHERE r.operation = $1 AND r.seq = w.seq AND w.why IS NOT NULL

-- name: keep_members
-- Whom it was told of that they are no members, before they are made members.
INSERT INTO operation_before (operation, part, id, value)
SELECT $1, $5, m.contact, jsonb_build_object('told_at', m.told_at, 'operation', m.operation)
FROM list_members AS m
WHERE m.tenant = $2 AND m.kind = $6 AND m.list = $7 AND NOT m.member AND m.told_at < $8
  AND m.contact IN (SELECT a.contact FROM operation_rows AS r JOIN contact_addresses AS a ON a.address = r.address
                    WHERE r.operation = $1 AND r.seq BETWEEN $3 AND $4 AND r.outcome IS NULL AND a.tenant = $2)

-- name: add_members
-- Make the contacts of the rows of a part members; returns those that were none.
INSERT INTO list_members AS m (tenant, kind, list, contact, member, told_at, operation)
SELECT DISTINCT $2, $5, $6, a.contact, true, $7::timestamptz, $1::bigint
FROM operation_rows AS r
JOIN contact_addresses AS a ON a.tenant = $2 AND a.address = r.address
JOIN contacts AS c ON c.tenant = a.tenant AND c.contact = a.contact
WHERE r.operation = $1 AND r.seq BETWEEN $3 AND $4 AND r.outcome IS NULL AND NOT c.former_employee
ORDER BY a.contact
ON CONFLICT (tenant, kind, list, contact) DO UPDATE
SET member = true, told_at = excluded.told_at, operation = excluded.operation
WHERE NOT m.member AND m.told_at < excluded.told_at
RETURNING m.contact

-- name: remove_members
-- Take out whom an operation made members by the rows of a part; returns them.
DELETE FROM list_members AS m
WHERE m.tenant = $2 AND m.kind = $5 AND m.list = $6 AND m.operation = $1 AND m.told_at = $7 AND m.member
  AND m.contact IN (SELECT a.contact FROM operation_rows AS r JOIN contact_addresses AS a ON a.address = r.address
                    WHERE r.operation = $1 AND r.seq BETWEEN $3 AND $4 AND r.outcome IS NULL AND a.tenant = $2)
RETURNING m.contact

-- name: remove_rest
-- Take out who is left of those that an operation made members: their addresses have changed hands since.
DELETE FROM list_members AS m
WHERE m.tenant = $2 AND m.kind = $3 AND m.list = $4 AND m.operation = $1 AND m.told_at = $5 AND m.member
RETURNING m.contact

-- name: put_back
-- Note again of whom it was told that they are no members.
INSERT INTO list_members (tenant, kind, list, contact, member, told_at, operation)
SELECT $2, $4, $5, b.id, false, (b.value ->> 'told_at')::timestamptz, (b.value ->> 'operation')::bigint
FROM operation_before AS b WHERE b.operation = $1 AND b.part = $3 ON CONFLICT DO NOTHING

-- name: count_members
-- A list has more or fewer members.
UPDATE lists SET size = size + $4, version = version + 1 WHERE tenant = $1 AND kind = $2 AND list = $3
