-- name: raise
-- Keep alerts that are new, by their cause; return which.
INSERT INTO alerts (id, tenant, kind, severity, facts, occurred_at, raised_at)
SELECT g.id, g.tenant, g.kind, g.severity, g.facts::jsonb, g.occurred_at, $7
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
     AS g (id, tenant, kind, severity, facts, occurred_at)
ON CONFLICT (id) DO NOTHING RETURNING id

-- name: assign
-- Note which alert goes to which channel, and when at the earliest.
INSERT INTO channel_alerts (channel, alert, due_at)
SELECT g.channel, g.alert, g.due_at FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS g (channel, alert, due_at)
JOIN channels c ON c.id = g.channel
ON CONFLICT DO NOTHING

-- name: newest
-- A page of the alerts of a tenant, newest first.
SELECT id, tenant, kind, severity, facts::text, occurred_at, raised_at FROM alerts
WHERE tenant = $1 AND ($2::timestamptz IS NULL OR (raised_at, id) < ($2, $3::text))
ORDER BY raised_at DESC, id DESC LIMIT $4

-- name: prune
-- Forget what was told long ago.
DELETE FROM alerts WHERE raised_at < $1

-- name: prune_messages
-- Forget the messages, too.
DELETE FROM messages WHERE state <> 'open' AND formed_at < $1
