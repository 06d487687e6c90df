-- name: blocked_after
-- The next blocked addresses of a tenant, in the order of their last change.
SELECT address, version, cause, reason FROM addresses
WHERE tenant = $1 AND version > 0 AND (version, address) > ($2::bigint, $3::text) AND cause IS NOT NULL
ORDER BY version, address
LIMIT $4
