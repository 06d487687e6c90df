-- name: address
-- All that is known of one address but for its history.
SELECT last_delivered, last_clear, cleared_by, clear_note, manual_at, manual_by, manual_note, version
FROM addresses WHERE tenant = $1 AND address = $2

-- name: history
-- The newest of the history of one address.
SELECT id, time, mailing, reason, fault, rule, status, text, may_block FROM history
WHERE tenant = $1 AND address = $2 ORDER BY time DESC, id LIMIT $3

-- name: erased
-- When one address was erased, unless it was cleared since.
SELECT e.time FROM erased AS e
WHERE e.place = place($1, $2)
  AND NOT EXISTS (SELECT FROM addresses AS c WHERE c.tenant = $1 AND c.address = $2 AND c.last_clear > e.time)
