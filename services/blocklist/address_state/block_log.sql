-- name: log
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
-- The last block or lift of each of these addresses, and when somebody last said something of it.
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

-- name: next_imported
-- The next addresses of a tenant to which an import did something.
SELECT address FROM (
    (SELECT DISTINCT address FROM history
     WHERE tenant = $1 AND address > $2 AND mailing = $3 ORDER BY address LIMIT $5)
    UNION
    (SELECT address FROM addresses
     WHERE tenant = $1 AND address > $2 AND (manual_at = $4 OR last_clear = $4) ORDER BY address LIMIT $5)
    UNION
    (SELECT DISTINCT address FROM block_log
     WHERE tenant = $1 AND address > $2 AND subject = $3 ORDER BY address LIMIT $5)
) AS a ORDER BY address LIMIT $5

-- name: count_imported
-- How many of them there are.
SELECT count(*) FROM (
    SELECT address FROM history WHERE tenant = $1 AND mailing = $2
    UNION
    SELECT address FROM addresses WHERE tenant = $1 AND (manual_at = $3 OR last_clear = $3)
    UNION
    SELECT address FROM block_log WHERE tenant = $1 AND subject = $2
) AS a

-- name: unimport
-- Forget what an import said of these addresses.
DELETE FROM history AS h USING unnest($1::text[], $2::text[]) AS k (tenant, address)
WHERE h.tenant = k.tenant AND h.address = k.address AND h.mailing = $3
