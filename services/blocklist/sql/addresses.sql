-- name: address
-- All that is known of one address but for its history.
SELECT last_delivered, last_clear, cleared_by, clear_note, manual_at, manual_by, manual_note, version
FROM addresses WHERE tenant = $1 AND address = $2

-- name: history
-- The newest of the history of one address.
SELECT id, time, mailing, reason, fault, rule, status, text, may_block FROM history
WHERE tenant = $1 AND address = $2 ORDER BY time DESC, id LIMIT $3
