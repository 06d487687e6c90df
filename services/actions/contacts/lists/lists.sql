-- name: create_lists
-- Create the lists that do not exist, in the order of their keys.
INSERT INTO lists (tenant, kind, list, version) SELECT tenant, $1, list, 0 FROM unnest($2::text[], $3::text[])
AS k (tenant, list) ON CONFLICT DO NOTHING

-- name: lock_lists
-- Lock lists, and read them.
SELECT l.* FROM lists AS l JOIN unnest($2::text[], $3::text[]) AS k (tenant, list) USING (tenant, list)
WHERE l.kind = $1 ORDER BY l.tenant, l.list FOR UPDATE OF l

-- name: write_lists
-- New values of lists that exist.
UPDATE lists AS l SET name = n.name, name_at = n.name_at, name_key = n.name_key, folded = n.folded, deleted = n.deleted,
    deleted_at = n.deleted_at, members_at = n.members_at, size = l.size + n.more, version = n.version
FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::boolean[],
            $9::timestamptz[], $10::timestamptz[], $11::integer[], $12::bigint[])
     AS n (tenant, list, name, name_at, name_key, folded, deleted, deleted_at, members_at, more, version)
WHERE l.tenant = n.tenant AND l.kind = $1 AND l.list = n.list

-- name: apply_members
-- Apply memberships where they are newer; at the same time, being a member wins. Returns those that changed.
WITH told AS (SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::boolean[], $6::timestamptz[])
                  AS t (tenant, list, contact, member, told_at)),
before AS (SELECT m.tenant, m.list, m.contact, m.member FROM list_members AS m JOIN told USING (tenant, list, contact)
           WHERE m.kind = $1),
written AS (
    INSERT INTO list_members AS m (tenant, kind, list, contact, member, told_at)
    SELECT tenant, $1, list, contact, member, told_at FROM told
    ON CONFLICT (tenant, kind, list, contact) DO UPDATE SET member = excluded.member, told_at = excluded.told_at
    WHERE (excluded.told_at, excluded.member) > (m.told_at, m.member)
    RETURNING tenant, list, contact, member)
SELECT w.tenant, w.list, w.contact, w.member FROM written AS w LEFT JOIN before AS b USING (tenant, list, contact)
WHERE w.member <> coalesce(b.member, false)

-- name: end_members
-- End memberships that are older than the last full member list. Returns those that changed.
UPDATE list_members AS m SET member = false
FROM unnest($2::text[], $3::text[], $4::timestamptz[]) AS n (tenant, list, members_at)
WHERE m.tenant = n.tenant AND m.kind = $1 AND m.list = n.list AND m.member AND m.told_at < n.members_at
RETURNING m.tenant, m.list, m.contact

-- name: list_lists
-- A page of lists by name; $3 is a part of the name as it is searched.
SELECT list AS id, name, size, version, made_at, coalesce(name_key, '') AS name_key FROM lists
WHERE tenant = $1 AND kind = $2 AND NOT deleted AND version > 0 AND strpos(folded, $3) > 0
  AND ($4::text IS NULL OR (coalesce(name_key, ''), list) > ($4, $5))
ORDER BY coalesce(name_key, ''), list LIMIT $6

-- name: list
-- One list.
SELECT list AS id, name, size, version, made_at FROM lists
WHERE tenant = $1 AND kind = $2 AND list = $3 AND NOT deleted AND version > 0

-- name: members
-- A page of the members of a list, with what is known of them; former employees only when asked for.
SELECT m.contact, c.name, c.company, coalesce(c.former_employee, false) AS former_employee, m.told_at AS since
FROM list_members AS m LEFT JOIN contacts AS c USING (tenant, contact)
WHERE m.tenant = $1 AND m.kind = $2 AND m.list = $3 AND m.member AND ($4::text IS NULL OR m.contact > $4)
  AND ($5 OR NOT coalesce(c.former_employee, false))
ORDER BY m.contact LIMIT $6
