-- name: heads
-- The last version that these tenants were given, and the one at which a blocked address was last erased.
SELECT tenant, version, erased FROM last_versions WHERE tenant = ANY ($1::text[])

-- name: events_after
-- What became of a tenant's addresses after a version: of each the last, in the order of versions; and of its domains. All of
-- one version are on one page, so that a version is a cursor.
SELECT e.* FROM (
(SELECT a.address, a.version, a.cause, a.reason, a.since, a.until, a.mailing, a.return_count, a.exempt_streams, a.streams, a.also,
       NULL AS domain,
       CASE a.cause WHEN 'manual' THEN a.manual_by WHEN 'former_employee' THEN a.former_by ELSE l.by END AS by,
       CASE a.cause WHEN 'manual' THEN a.manual_note WHEN 'former_employee' THEN a.former_note ELSE l.note END AS note,
       l.cause AS lift, l.at
FROM (
    SELECT * FROM addresses WHERE tenant = $1 AND version > $2::bigint AND version > 0
    ORDER BY version FETCH FIRST ($3::integer) ROWS WITH TIES
) AS a
LEFT JOIN LATERAL (
    SELECT l.cause, l.by, l.note, l.at FROM block_log AS l
    WHERE a.cause IS NULL AND l.tenant = a.tenant AND l.address = a.address AND l.version = a.version
) AS l ON true
)
UNION ALL
(SELECT NULL, d.version, CASE WHEN d.lifted_at IS NULL THEN 'domain' END, NULL, d.since, d.until, NULL, 0, NULL, NULL, NULL,
       d.domain, coalesce(d.lifted_by, d.by), CASE WHEN d.lifted_at IS NULL THEN d.note ELSE d.lift_note END,
       d.lift_cause, d.lifted_at
FROM domain_blocks AS d WHERE d.tenant = $1 AND d.version > $2::bigint
ORDER BY d.version FETCH FIRST ($3::integer) ROWS WITH TIES)
) AS e
ORDER BY e.version FETCH FIRST ($3::integer) ROWS WITH TIES
