-- name: check
-- The blocked ones of these addresses at this time, for this stream if one is named.
SELECT b.address, b.cause, b.reason, b.since, b.until
FROM unnest($2::text[]) AS k (address)
CROSS JOIN LATERAL (
    SELECT a.address, a.cause, a.reason, a.since, a.until
    FROM addresses AS a
    WHERE a.tenant = $1 AND a.address = k.address AND a.cause IS NOT NULL
      AND (a.until IS NULL OR a.until > $3) AND ($4::text IS NULL OR a.spares IS NULL OR $4 <> ALL (a.spares))
    OFFSET 0
) AS b
