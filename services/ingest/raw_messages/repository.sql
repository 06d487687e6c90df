-- name: share_addresses
-- Keep erasures waiting until this transaction ends: they would not see the addresses that it writes.
SELECT pg_advisory_xact_lock_shared(hashtextextended('returpost ingest erasures', 0))

-- name: hold_addresses
-- Wait for the transactions that write addresses, and keep new ones waiting.
SELECT pg_advisory_xact_lock(hashtextextended('returpost ingest erasures', 0))

-- name: erased
-- When each of these addresses was erased, of those that were.
SELECT k.tenant, k.address, e.erased_at
FROM unnest($1::text[], $2::text[]) AS k (tenant, address)
JOIN erased_addresses AS e ON e.key = erased_key(k.tenant, k.address)

-- name: note_erasures
-- When addresses were erased, without the addresses.
INSERT INTO erased_addresses AS e (key, erased_at)
SELECT erased_key(k.tenant, k.address), k.erased_at
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS k (tenant, address, erased_at)
ON CONFLICT (key) DO UPDATE SET erased_at = excluded.erased_at WHERE e.erased_at < excluded.erased_at

-- name: store
-- Raw messages; one that is known stays as it is.
INSERT INTO raw_messages (id, tenant, received_at, source, outcome, problem, content_type, size, stored, body)
SELECT id, tenant, received_at, source, outcome, problem, content_type, size, length(body), body
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[], $8::integer[],
            $9::bytea[]) AS n (id, tenant, received_at, source, outcome, problem, content_type, size, body)
ON CONFLICT DO NOTHING

-- name: mention
-- Which events were made of which messages, and whom they are about.
INSERT INTO raw_message_mentions (event, message, tenant, address, mailing)
SELECT n.* FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
    AS n (event, message, tenant, address, mailing)
ON CONFLICT DO NOTHING

-- name: forget
-- Remove every message that mentions one of these addresses, whomever else it mentions.
DELETE FROM raw_messages AS r USING raw_message_mentions AS m, unnest($1::text[], $2::text[]) AS g (tenant, address)
WHERE m.tenant = g.tenant AND m.address = g.address AND r.id = m.message

-- name: unread
-- Reports of which nobody knows whom they are about, a page of them.
SELECT id, body FROM raw_messages WHERE tenant = $1 AND outcome <> 'read' AND id > $2 ORDER BY id LIMIT $3

-- name: remove
-- Remove these messages.
DELETE FROM raw_messages WHERE id = ANY($1::uuid[])

-- name: purge
-- Remove what was received before a time, some at a time, the oldest first.
DELETE FROM raw_messages WHERE id IN
    (SELECT id FROM raw_messages WHERE received_at < $1 ORDER BY received_at, id LIMIT $2)

-- name: stored
-- How many messages there are, and how many bytes they take.
SELECT count(*) AS messages, coalesce(sum(stored), 0)::bigint AS bytes FROM raw_messages

-- name: beyond
-- Until when messages have to go so that the newest that stay take no more than so many bytes.
SELECT max(received_at) FROM
    (SELECT received_at, sum(stored) OVER (ORDER BY received_at DESC, id DESC) AS total FROM raw_messages) AS newest
WHERE total > $1

-- name: find
-- Reports by their own id or by that of an event.
SELECT r.id, r.tenant, r.received_at, r.source, r.outcome, r.problem, r.content_type, r.size, r.body
FROM raw_messages AS r
WHERE r.tenant = $1 AND (r.id = $2 OR r.id IN (SELECT m.message FROM raw_message_mentions AS m WHERE m.event = $2))
ORDER BY r.received_at DESC, r.id LIMIT 1

-- name: mentioned
-- Whom a message is about.
SELECT address, mailing, array_agg(event ORDER BY event) AS events FROM raw_message_mentions
WHERE message = $1 GROUP BY address, mailing ORDER BY address, mailing

-- name: page
-- Reports, the newest first, from a place on; address and mailing narrow them down.
SELECT r.id, r.received_at, r.source, r.outcome, r.problem, r.content_type, r.size
FROM raw_messages AS r
WHERE r.tenant = $1
  AND ($2::text IS NULL OR r.outcome = $2) AND ($3::text IS NULL OR r.source = $3)
  AND ($4::text IS NULL OR r.id IN (SELECT m.message FROM raw_message_mentions AS m
       WHERE m.tenant = $1 AND m.address = $4 AND ($5::text IS NULL OR m.mailing = $5)))
  AND ($6::timestamptz IS NULL OR (r.received_at, r.id) < ($6, $7::uuid))
ORDER BY r.received_at DESC, r.id DESC LIMIT $8
