-- name: check
-- The blocked ones of these addresses.
SELECT b.address, b.cause, b.reason, b.since
FROM unnest($2::text[]) AS k (address)
CROSS JOIN LATERAL (
    SELECT a.address, a.cause, a.reason, a.since
    FROM addresses AS a WHERE a.tenant = $1 AND a.address = k.address AND a.cause IS NOT NULL OFFSET 0
) AS b
