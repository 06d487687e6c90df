-- name: channels_due
-- Lock the channels that something waits for and that nobody else forms messages of.
SELECT c.id FROM channels c
WHERE c.enabled AND EXISTS (SELECT FROM channel_alerts w WHERE w.channel = c.id AND w.message IS NULL AND w.due_at <= $1)
FOR NO KEY UPDATE SKIP LOCKED

-- name: formed_since
-- When the messages of a channel were formed lately.
SELECT formed_at FROM messages WHERE channel = $1 AND formed_at > $2

-- name: waiting
-- What goes out together, oldest first.
SELECT alert FROM channel_alerts WHERE channel = $1 AND message IS NULL AND due_at <= $2 ORDER BY due_at, alert LIMIT $3

-- name: form
-- Note a message.
INSERT INTO messages (id, channel, alerts, formed_at, due_at) VALUES ($1, $2, cardinality($3::text[]), $4, $4)

-- name: include
-- Put alerts into a message.
UPDATE channel_alerts SET message = $2 WHERE channel = $1 AND alert = ANY($3::text[])

-- name: lease
-- Take messages that are due, so long that they can be tried.
UPDATE messages m SET leased_until = $1::timestamptz + $2::interval
FROM (
    SELECT o.id FROM messages o JOIN channels c ON c.id = o.channel AND c.enabled
    WHERE o.state = 'open' AND o.due_at <= $1 AND (o.leased_until IS NULL OR o.leased_until <= $1)
    ORDER BY o.due_at, o.id LIMIT $3 FOR UPDATE OF o SKIP LOCKED
) due
WHERE m.id = due.id RETURNING m.id, m.channel, m.attempts, m.formed_at

-- name: channel
-- One channel.
SELECT * FROM channels WHERE id = $1

-- name: alerts_of
-- The alerts of a message.
SELECT a.id, a.tenant, a.kind, a.severity, a.facts::text, a.occurred_at
FROM channel_alerts w JOIN alerts a ON a.id = w.alert WHERE w.message = $1

-- name: tried
-- Note one attempt.
UPDATE messages
SET state = $2, problem = $3, due_at = coalesce($4, due_at), attempts = attempts + 1, leased_until = NULL,
    done_at = CASE WHEN $2 <> 'open' THEN $5::timestamptz END
WHERE id = $1 AND state = 'open'
