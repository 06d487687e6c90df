-- name: list_blocks
-- A page of blocked addresses, newest first.
SELECT address, cause, reason, since, mailing, return_count, version, until, exempt_streams, streams,
       cause || coalesce(also, '{}') AS causes,
       CASE cause WHEN 'manual' THEN manual_by WHEN 'former_employee' THEN former_by END AS by,
       CASE cause WHEN 'manual' THEN manual_note WHEN 'former_employee' THEN former_note END AS note
FROM addresses
WHERE tenant = $1 AND since IS NOT NULL
  AND ($2::timestamptz IS NULL OR (since, address) < ($2, $3::text))
  AND ($4::text IS NULL OR cause = $4 OR $4 = ANY (also)) AND ($5::text IS NULL OR reason = $5)
  AND ($6::text IS NULL OR right(address, length($6) + 1) = '@' || $6)
ORDER BY since DESC, address DESC LIMIT $7

-- name: count_blocks
-- Blocked addresses by cause and reason, most first.
SELECT cause, reason, count(*) AS blocked FROM addresses
WHERE tenant = $1 AND cause IS NOT NULL GROUP BY cause, reason ORDER BY blocked DESC, cause, reason

-- name: address
-- All that is known of one address but for its history.
SELECT last_delivered, last_clear, cleared_by, clear_note, manual_at, manual_by, manual_note, former_at, former_lifted_at,
       former_by, former_note, version
FROM addresses WHERE tenant = $1 AND address = $2

-- name: history
-- The newest of the history of one address.
SELECT id, time, mailing, reason, fault, rule, status, text, may_block, confidence, stream FROM history
WHERE tenant = $1 AND address = $2 ORDER BY time DESC, id LIMIT $3

-- name: erased
-- When one address was erased, unless it was cleared since.
SELECT e.erased_at FROM erased_addresses AS e
WHERE e.key = erased_key($1, $2)
  AND NOT EXISTS (SELECT FROM addresses AS c WHERE c.tenant = $1 AND c.address = $2 AND c.last_clear > e.erased_at)
