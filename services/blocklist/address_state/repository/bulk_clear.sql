-- name: bulk_clear
-- Clear those of these addresses (locked, of tenant $1) of which nothing later than the clear is known, and lift what
-- blocks them: a clear at $3 by $4 with the note $5, for $6, logged at $7, with the version $8. Returns
-- their indexes in $2, their versions, and whether they were blocked. OFFSET 0 keeps the planner to look-ups by key.
WITH settled AS (
    SELECT k.n, k.address, s.blocked, CASE WHEN s.blocked THEN $8::bigint ELSE s.version END AS version
    FROM unnest($2::text[]) WITH ORDINALITY AS k (address, n)
    CROSS JOIN LATERAL (
        SELECT s.version, s.cause IS NOT NULL AS blocked FROM addresses AS s
        WHERE s.tenant = $1 AND s.address = k.address AND (s.manual_at IS NULL OR s.manual_at <= $3::timestamptz)
          AND (s.last_clear IS NULL OR (s.last_clear, s.cleared_by, s.clear_note) < ($3::timestamptz, $4::text, $5::text))
          AND s.former_at IS NULL AND NOT coalesce($3::timestamptz = ANY (s.undone), false)
          AND NOT EXISTS (SELECT FROM history AS h WHERE h.tenant = $1 AND h.address = k.address
                          AND (h.time > $3::timestamptz OR h.reason = 'unsubscribe'))
        OFFSET 0
    ) AS s
), cleared AS (
    INSERT INTO addresses AS a (tenant, address, last_clear, cleared_by, clear_note, version)
    SELECT $1, address, $3, $4, $5, version FROM settled
    ON CONFLICT (tenant, address) DO UPDATE
    SET clear_before = a.last_clear, last_clear = excluded.last_clear, cleared_by = excluded.cleared_by,
        clear_note = excluded.clear_note, version = excluded.version, return_count = 0, cause = NULL, since = NULL,
        reason = NULL, mailing = NULL, until = NULL, exempt_streams = NULL, streams = NULL, also = NULL, changes_at = NULL
), logged AS (
    INSERT INTO block_log (tenant, address, version, at, blocked, cause, subject, by, note)
    SELECT $1, address, version, $7::timestamptz, false, 'cleared', $6::text, $4, $5 FROM settled WHERE blocked
    ON CONFLICT DO NOTHING
)
SELECT n::integer, version, blocked FROM settled
