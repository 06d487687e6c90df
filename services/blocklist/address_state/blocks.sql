-- name: list_blocks
-- A page of blocked addresses, newest first.
SELECT address, cause, reason, since, mailing, return_count, version,
       until, CASE WHEN cause = 'manual' THEN manual_by END AS by, CASE WHEN cause = 'manual' THEN manual_note END AS note
FROM addresses
WHERE tenant = $1 AND since IS NOT NULL
  AND ($2::timestamptz IS NULL OR (since, address) < ($2, $3::text))
  AND ($4::text IS NULL OR cause = $4) AND ($5::text IS NULL OR reason = $5)
  AND ($6::text IS NULL OR right(address, length($6) + 1) = '@' || $6)
ORDER BY since DESC, address DESC LIMIT $7

-- name: count_blocks
-- Blocked addresses by cause and reason, most first.
SELECT cause, reason, count(*) AS blocked FROM addresses
WHERE tenant = $1 AND cause IS NOT NULL GROUP BY cause, reason ORDER BY blocked DESC, cause, reason
