-- name: request
-- Have something done to addresses of a tenant.
INSERT INTO operations (id, tenant, kind, what, by, note, requested_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO NOTHING

-- name: supersede
-- End what is not done of a kind, since what follows does it all again.
UPDATE operations SET state = 'superseded', finished_at = $3 WHERE tenant = $1 AND kind = $2 AND finished_at IS NULL

-- name: take
-- Take an operation that nobody else has in hand, the oldest first.
SELECT id, tenant, kind, what::text, by, note, requested_at, after, total, result::text FROM operations
WHERE finished_at IS NULL ORDER BY requested_at, id LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: advance
-- Note how far an operation has come.
UPDATE operations
SET state = 'running', after = $2, total = $3, done = done + $4, blocked = blocked + $5, freed = freed + $6, result = $7
WHERE id = $1

-- name: finish
-- All is done.
UPDATE operations SET state = 'finished', finished_at = $2, total = done WHERE id = $1

-- name: operation
-- One operation of a tenant.
SELECT id, kind, state, by, note, requested_at, finished_at, total, done, blocked, freed, what::text, result::text
FROM operations WHERE tenant = $1 AND id = $2

-- name: operations
-- The newest operations of a tenant, of a kind if one is given.
SELECT id, kind, state, by, note, requested_at, finished_at, total, done, blocked, freed, what::text, result::text
FROM operations
WHERE tenant = $1 AND ($2::text IS NULL OR kind = $2) AND ($3::timestamptz IS NULL OR (requested_at, id) < ($3, $4::uuid))
ORDER BY requested_at DESC, id DESC LIMIT $5

-- name: count_decided
-- How many addresses of a tenant the settings say something of: those with history, and those that are blocked.
SELECT count(*) FROM (
    SELECT address FROM history WHERE tenant = $1
    UNION
    SELECT address FROM addresses WHERE tenant = $1 AND cause IS NOT NULL
) AS a

-- name: next_decided
-- The next of them.
SELECT address FROM (
    (SELECT DISTINCT address FROM history WHERE tenant = $1 AND address > $2 ORDER BY address LIMIT $3)
    UNION
    (SELECT address FROM addresses WHERE tenant = $1 AND address > $2 AND cause IS NOT NULL ORDER BY address LIMIT $3)
) AS a ORDER BY address LIMIT $3
