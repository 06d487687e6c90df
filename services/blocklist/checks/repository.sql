-- name: check
-- Whom of these addresses to skip at this time, in this stream if one is named: who is blocked and, where the tenant has
-- it so, who is not but was erased and not cleared since. Whether the second is asked at all is decided once a query.
-- OFFSET 0 keeps the planner to look-ups by key. A row of nulls says that blocks of domains changed after version $5.
SELECT b.address, b.cause, b.reason, b.since, b.until, b.also
FROM unnest($2::text[]) AS k (address)
CROSS JOIN LATERAL (
    SELECT a.address, a.cause, a.reason, a.since, a.until, a.also
    FROM addresses AS a
    WHERE a.tenant = $1 AND a.address = k.address AND a.cause IS NOT NULL
      AND (a.until IS NULL OR a.until > $3) AND ($4::text IS NULL OR a.exempt_streams IS NULL OR $4 <> ALL (a.exempt_streams))
      AND ($4::text IS NULL OR a.streams IS NULL OR $4 = ANY (a.streams))
    OFFSET 0
) AS b
UNION ALL
SELECT k.address, 'erased', NULL, e.erased_at, NULL, NULL
FROM unnest($2::text[]) AS k (address)
CROSS JOIN LATERAL (
    SELECT e.erased_at FROM erased_addresses AS e WHERE e.key = erased_key($1, k.address) OFFSET 0
) AS e
WHERE (SELECT (s.rules ->> 'skip_erased')::boolean FROM settings AS s WHERE s.tenant = $1) AND EXISTS (SELECT FROM erased_addresses)
  AND NOT EXISTS (
    SELECT FROM addresses AS a
    WHERE a.tenant = $1 AND a.address = k.address AND (
        a.last_clear > e.erased_at OR (
            a.cause IS NOT NULL AND (a.until IS NULL OR a.until > $3)
            AND ($4::text IS NULL OR a.exempt_streams IS NULL OR $4 <> ALL (a.exempt_streams))
            AND ($4::text IS NULL OR a.streams IS NULL OR $4 = ANY (a.streams))
        )
    )
  )
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL FROM last_versions AS v WHERE v.tenant = $1 AND v.domains > $5::bigint

-- name: skips_erased
-- Whether any was erased, and this tenant skips who was.
SELECT EXISTS (SELECT FROM erased_addresses)
   AND coalesce((SELECT (s.rules ->> 'skip_erased')::boolean FROM settings AS s WHERE s.tenant = $1), false)

-- name: blocked_after
-- The next blocked addresses of a tenant, in the order of their last change.
SELECT address, version, cause, reason, exempt_streams, streams FROM addresses
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
