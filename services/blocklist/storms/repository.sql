-- name: of_tenants
-- The storms of these tenants that keep bounces from counting.
SELECT tenant, id, kind, value, begun, suspended_from, ended, state FROM storms
WHERE tenant = ANY ($1::text[]) AND state <> 'counted'

-- name: continues
-- Keep that a storm goes on; returns its id, if there is one.
UPDATE storms SET seen_at = greatest(seen_at, $4) WHERE tenant = $1 AND kind = $2 AND value = $3 AND ended IS NULL
RETURNING id

-- name: usual
-- How many bounces a tenant had between two times, and how many of them by a suspect; of many, some.
SELECT count(*) AS bounces, count(*) FILTER (
    WHERE CASE $4::text WHEN 'reason' THEN h.reason = $5 WHEN 'ip' THEN h.ip = $5
          ELSE right(h.address, length($5) + 1) = '@' || $5 END
) AS count
FROM (
    SELECT address, reason, ip FROM history
    WHERE tenant = $1 AND time >= $2 AND time < $3 AND reason NOT IN ('complaint', 'unsubscribe') LIMIT 100000
) AS h

-- name: begin
-- Add a storm, unless there is one.
INSERT INTO storms (id, tenant, kind, value, begun, suspended_from, seen_at, bounces, of_bounces)
VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING id

-- name: end_quiet
-- End the storms of which nothing was seen since a time.
UPDATE storms SET ended = $2 WHERE ended IS NULL AND seen_at <= $1 RETURNING id, tenant, kind, value, begun

-- name: ongoing
-- The storms that there are now.
SELECT tenant, kind, value FROM storms WHERE ended IS NULL

-- name: count_ongoing
-- How many storms there are now.
SELECT count(*) FROM storms WHERE ended IS NULL

-- name: judge
-- Say what is to be done with the bounces of a storm.
UPDATE storms SET state = $3, judged_at = $4, judged_by = $5, note = $6 WHERE tenant = $1 AND id = $2
RETURNING id

-- name: newest
-- The newest storms of a tenant, before a time and id if they are given.
SELECT id, kind, value, begun, suspended_from, ended, bounces, of_bounces, state, judged_at, judged_by, note FROM storms
WHERE tenant = $1 AND ($2::timestamptz IS NULL OR (begun, id) < ($2, $3::uuid)) ORDER BY begun DESC, id DESC LIMIT $4

-- name: get
-- One storm, and how many addresses are blocked since it began that it may have blocked.
SELECT s.id, s.kind, s.value, s.begun, s.suspended_from, s.ended, s.bounces, s.of_bounces, s.state, s.judged_at,
       s.judged_by, s.note,
       (SELECT count(*) FROM addresses AS a
        WHERE a.tenant = s.tenant AND a.since >= s.begun AND a.since < coalesce(s.ended, 'infinity')
          AND a.cause IN ('dead_address', 'return_count')
          AND CASE s.kind WHEN 'reason' THEN a.reason = s.value
              WHEN 'domain' THEN right(a.address, length(s.value) + 1) = '@' || s.value ELSE true END) AS blocked
FROM storms AS s WHERE s.tenant = $1 AND s.id = $2

-- name: count_addresses
-- How many addresses of a tenant had a bounce in a storm.
SELECT count(DISTINCT h.address) FROM storms AS s JOIN history AS h
    ON h.tenant = s.tenant AND h.time >= s.begun AND h.time < coalesce(s.ended, 'infinity')
WHERE s.tenant = $1 AND s.id = $2

-- name: next_addresses
-- The next of them.
SELECT DISTINCT h.address FROM storms AS s JOIN history AS h
    ON h.tenant = s.tenant AND h.time >= s.begun AND h.time < coalesce(s.ended, 'infinity')
WHERE s.tenant = $1 AND s.id = $2 AND h.address > $3 ORDER BY h.address LIMIT $4
