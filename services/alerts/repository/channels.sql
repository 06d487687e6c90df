-- name: add
-- Add a channel; nothing comes back when its name is taken.
INSERT INTO channels (id, tenant, name, kind, recipients, url, secret, language, severity, causes, tenants, digest, digest_at,
                      quiet_from, quiet_to, zone, hold_critical, weekly_report, created_at, created_by, changed_at, changed_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $19, $20)
ON CONFLICT (tenant, name) DO NOTHING RETURNING *

-- name: of_tenant
-- All channels of a tenant.
SELECT c.*, m.state AS last_state, m.problem AS last_problem, m.formed_at AS last_at
FROM channels c
LEFT JOIN LATERAL (SELECT state, problem, formed_at FROM messages WHERE channel = c.id ORDER BY formed_at DESC, id LIMIT 1) m
    ON true
WHERE c.tenant = $1 AND ($2::text IS NULL OR c.name = $2) ORDER BY c.name

-- name: lock
-- One channel of a tenant, until the transaction ends nobody else's to change.
SELECT * FROM channels WHERE tenant = $1 AND name = $2 FOR UPDATE

-- name: change
-- Change a channel.
UPDATE channels
SET recipients = $2, url = $3, language = $4, severity = $5, causes = $6, tenants = $7, digest = $8, digest_at = $9,
    quiet_from = $10, quiet_to = $11, zone = $12, hold_critical = $13, weekly_report = $14, enabled = $15,
    version = version + 1, changed_at = $16, changed_by = $17
WHERE id = $1 RETURNING *

-- name: rotate
-- Give a channel another secret.
UPDATE channels SET secret = $2, version = version + 1, changed_at = $3, changed_by = $4 WHERE id = $1 RETURNING *

-- name: remove
-- Remove a channel, and what was sent to it.
DELETE FROM channels WHERE tenant = $1 AND name = $2 RETURNING id

-- name: enabled
-- The channels that alerts of these tenants may go to.
SELECT * FROM channels WHERE enabled AND tenant = ANY($1::text[])

-- name: messages
-- A page of what was sent to a channel, newest first, in one state if it is given.
SELECT id, state, alerts, formed_at, due_at, done_at, attempts, problem FROM messages
WHERE channel = $1 AND ($2::text IS NULL OR state = $2) AND ($3::timestamptz IS NULL OR (formed_at, id) < ($3, $4::text))
ORDER BY formed_at DESC, id DESC LIMIT $5
