-- name: add
-- Add blocks and lifts to the log.
INSERT INTO block_log (tenant, address, version, at, blocked, cause, reason, subject, until, by, note)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[], $5::boolean[], $6::text[], $7::text[],
                     $8::text[], $9::timestamptz[], $10::text[], $11::text[])
ON CONFLICT DO NOTHING

-- name: of_address
-- The newest blocks and lifts of one address, with the rule that judged the bounce and the settings that were in force.
SELECT l.at, l.blocked, l.cause, l.reason, l.subject, l.until, l.by, l.note, l.version,
       (SELECT h.rule FROM history AS h
        WHERE h.tenant = l.tenant AND h.address = l.address AND h.mailing = l.subject AND h.reason = l.reason
        ORDER BY h.time DESC LIMIT 1) AS rule,
       (SELECT max(s.version) FROM settings_versions AS s
        WHERE s.tenant = l.tenant AND s.changed_at <= l.at) AS settings_version
FROM block_log AS l WHERE l.tenant = $1 AND l.address = $2 ORDER BY l.version DESC LIMIT $3

-- name: last
-- The last block or lift of each of these addresses, and when it was last commanded.
SELECT l.*
FROM unnest($1::text[], $2::text[]) AS k (tenant, address)
CROSS JOIN LATERAL (
    SELECT l.tenant, l.address, l.blocked, l.cause, l.subject, a.manual_at, a.last_clear
    FROM block_log AS l JOIN addresses AS a ON a.tenant = l.tenant AND a.address = l.address
    WHERE l.tenant = k.tenant AND l.address = k.address ORDER BY l.version DESC LIMIT 1
) AS l

-- name: erase
-- Forget all blocks and lifts of these addresses.
DELETE FROM block_log AS l USING unnest($1::text[], $2::text[]) AS k (tenant, address)
WHERE l.tenant = k.tenant AND l.address = k.address
