-- name: add
-- Have something done to addresses of a tenant.
INSERT INTO jobs (id, tenant, kind, parameters, by, note, requested_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO NOTHING

-- name: supersede
-- End what is not done of a kind, since what follows does it all again.
UPDATE jobs SET state = 'superseded', finished_at = $3, after = '' WHERE tenant = $1 AND kind = $2 AND finished_at IS NULL

-- name: take
-- Lock a job that no other process works on, the oldest first.
SELECT id, tenant, kind, parameters::text, by, note, requested_at, after, total, result::text FROM jobs
WHERE finished_at IS NULL ORDER BY requested_at, id LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: advance
-- Keep how far a job is.
UPDATE jobs
SET state = 'running', after = $2, total = $3, done = done + $4, blocked = blocked + $5, freed = freed + $6, result = $7
WHERE id = $1

-- name: finish
-- All is done; the address that it came to last is nobody's business any more.
UPDATE jobs SET state = 'finished', finished_at = $2, total = done, after = '' WHERE id = $1

-- name: get
-- One job of a tenant.
SELECT id, kind, state, by, note, requested_at, finished_at, total, done, blocked, freed, parameters::text, result::text
FROM jobs WHERE tenant = $1 AND id = $2

-- name: newest
-- The newest jobs of a tenant, of a kind if one is given.
SELECT id, kind, state, by, note, requested_at, finished_at, total, done, blocked, freed, parameters::text, result::text
FROM jobs
WHERE tenant = $1 AND ($2::text IS NULL OR kind = $2) AND ($3::timestamptz IS NULL OR (requested_at, id) < ($3, $4::uuid))
ORDER BY requested_at DESC, id DESC LIMIT $5

-- name: count_decided
-- How many addresses of a tenant its settings decide on: those with history, and those that are blocked.
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
