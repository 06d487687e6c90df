-- name: check
-- Whom of these addresses to skip at this time, in this stream if one is named: who is blocked and, where the tenant has
-- it so, who is not but was erased and not cleared since. Whether the second is asked at all is decided once a query.
-- OFFSET 0 keeps the planner to look-ups by key.
SELECT b.address, b.cause, b.reason, b.since, b.until
FROM unnest($2::text[]) AS k (address)
CROSS JOIN LATERAL (
    SELECT a.address, a.cause, a.reason, a.since, a.until
    FROM addresses AS a
    WHERE a.tenant = $1 AND a.address = k.address AND a.cause IS NOT NULL
      AND (a.until IS NULL OR a.until > $3) AND ($4::text IS NULL OR a.spares IS NULL OR $4 <> ALL (a.spares))
    OFFSET 0
) AS b
UNION ALL
SELECT k.address, 'erased', NULL, e.time, NULL
FROM unnest($2::text[]) AS k (address)
CROSS JOIN LATERAL (SELECT e.time FROM erased AS e WHERE e.place = place($1, k.address) OFFSET 0) AS e
WHERE (SELECT (s.rules ->> 'skip_erased')::boolean FROM settings AS s WHERE s.tenant = $1) AND EXISTS (SELECT FROM erased)
  AND NOT EXISTS (
    SELECT FROM addresses AS a
    WHERE a.tenant = $1 AND a.address = k.address AND (
        a.last_clear > e.time OR (
            a.cause IS NOT NULL AND (a.until IS NULL OR a.until > $3)
            AND ($4::text IS NULL OR a.spares IS NULL OR $4 <> ALL (a.spares))
        )
    )
  )

-- name: skips_erased
-- Whether any was erased, and this tenant skips who was.
SELECT EXISTS (SELECT FROM erased)
   AND coalesce((SELECT (s.rules ->> 'skip_erased')::boolean FROM settings AS s WHERE s.tenant = $1), false)
