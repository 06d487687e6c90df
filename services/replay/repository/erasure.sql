-- name: texts
-- All that dead letters of these tenants hold, and those of which nobody can say whose they are.
SELECT id, body, error, stack, headers::text AS headers FROM dead_letters WHERE tenant = ANY($1::text[]) OR tenant = ''

-- name: lock
-- Lock dead letters, in the order in which jobs do.
SELECT FROM dead_letters WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE

-- name: delete
-- Remove dead letters, in whatever state they are.
DELETE FROM dead_letters WHERE id = ANY($1::uuid[])

-- name: rewrite
-- What is left of dead letters.
UPDATE dead_letters AS d SET body = n.body, error = n.error, stack = n.stack, headers = n.headers::jsonb
FROM unnest($1::uuid[], $2::bytea[], $3::text[], $4::text[], $5::text[]) AS n (id, body, error, stack, headers)
WHERE d.id = n.id
