-- name: ours_after
-- The next blocked addresses of a tenant, in the order of their keys.
SELECT address, cause, reason, since FROM addresses
WHERE tenant = $1 AND address > $2 AND cause IS NOT NULL
ORDER BY address LIMIT $3

-- name: lifted
-- Those of these addresses that somebody has cleared.
SELECT a.address
FROM unnest($2::text[]) AS k (address)
CROSS JOIN LATERAL (
    SELECT a.address FROM addresses AS a
    WHERE a.tenant = $1 AND a.address = k.address AND a.last_clear IS NOT NULL OFFSET 0
) AS a
