-- name: blocked_after
-- The next blocked addresses of a tenant, in the order of their last change.
SELECT address, version, cause, reason, spares FROM addresses
WHERE tenant = $1 AND version > 0 AND (version, address) > ($2::bigint, $3::text) AND cause IS NOT NULL
ORDER BY version, address
LIMIT $4

-- name: keys_after
-- The keys of the next blocked addresses of a tenant, in the order of their last change.
SELECT address, version FROM addresses
WHERE tenant = $1 AND version > 0 AND (version, address) > ($2::bigint, $3::text) AND cause IS NOT NULL
ORDER BY version, address
LIMIT $4

-- name: count_blocked
-- How many addresses of a tenant are blocked.
SELECT count(*) FROM addresses WHERE tenant = $1 AND cause IS NOT NULL
