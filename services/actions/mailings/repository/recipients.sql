-- name: merge_results
-- The latest time of each kind of result of each recipient. One row a recipient.
INSERT INTO recipients AS r
    (tenant, mailing, address, sent_at, delivered_at, deferred_at, failed_at, opened_at, complained_at, unsubscribed_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
                     $7::timestamptz[], $8::timestamptz[], $9::timestamptz[], $10::timestamptz[])
ON CONFLICT (tenant, mailing, address) DO UPDATE SET
    sent_at = greatest(r.sent_at, excluded.sent_at),
    delivered_at = greatest(r.delivered_at, excluded.delivered_at),
    deferred_at = greatest(r.deferred_at, excluded.deferred_at),
    failed_at = greatest(r.failed_at, excluded.failed_at),
    opened_at = greatest(r.opened_at, excluded.opened_at),
    complained_at = greatest(r.complained_at, excluded.complained_at),
    unsubscribed_at = greatest(r.unsubscribed_at, excluded.unsubscribed_at)

-- name: merge_verdicts
-- The latest verdict of each recipient; of two at the same time the hard one, and else the greater in what they say,
-- so that the order in which they come does not matter. One row a recipient.
INSERT INTO recipients AS r
    (tenant, mailing, address, returned_at, hard, reason, exhausted, reply_code, enhanced_status, diagnostic, written,
     rule)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::boolean[], $6::text[], $7::boolean[],
                     $8::smallint[], $9::text[], $10::text[], $11::text[], $12::text[])
ON CONFLICT (tenant, mailing, address) DO UPDATE SET
    returned_at = excluded.returned_at, hard = excluded.hard, reason = excluded.reason, exhausted = excluded.exhausted,
    reply_code = excluded.reply_code, enhanced_status = excluded.enhanced_status, diagnostic = excluded.diagnostic,
    written = excluded.written, rule = excluded.rule
WHERE r.returned_at IS NULL
   OR (excluded.returned_at, excluded.hard, excluded.reason, excluded.exhausted, coalesce(excluded.reply_code, 0),
       coalesce(excluded.enhanced_status, ''), excluded.diagnostic COLLATE "C", excluded.written COLLATE "C",
       excluded.rule)
    > (r.returned_at, r.hard, r.reason, r.exhausted, coalesce(r.reply_code, 0),
       coalesce(r.enhanced_status, ''), r.diagnostic COLLATE "C", r.written COLLATE "C", coalesce(r.rule, ''))

-- name: apply_block_states
-- Block states, applied only when newer.
INSERT INTO address_states AS s (tenant, address, version, blocked, cause, reason, return_count, since, mailing)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::boolean[], $5::text[], $6::text[], $7::integer[],
                     $8::timestamptz[], $9::text[])
ON CONFLICT (tenant, address) DO UPDATE SET
    version = excluded.version, blocked = excluded.blocked, cause = excluded.cause, reason = excluded.reason,
    return_count = excluded.return_count, since = excluded.since, mailing = excluded.mailing
WHERE s.version < excluded.version

-- name: add_address_events
-- Blocks and lifts; a repeat changes nothing.
INSERT INTO address_events (tenant, address, version, time, blocked, cause, reason, mailing, by, note)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[], $5::boolean[], $6::text[], $7::text[],
                     $8::text[], $9::text[], $10::text[]) ON CONFLICT DO NOTHING

-- name: page_of_recipients
-- A page of the recipients of a mailing. One that is not sent yet and whose address is blocked is `blocked`.
SELECT r.address, CASE WHEN r.status = 'ready' AND s.blocked THEN 'blocked' ELSE r.status END AS status,
       r.reason, r.exhausted, r.reply_code, r.enhanced_status, r.diagnostic, r.returned_at, r.delivered_at,
       coalesce(s.blocked, false) AS blocked
FROM recipients AS r LEFT JOIN address_states AS s ON s.tenant = r.tenant AND s.address = r.address
WHERE r.tenant = $1 AND r.mailing = $2 AND ($3::text IS NULL OR r.address > $3)
  AND ($4::text IS NULL OR $4 = CASE WHEN r.status = 'ready' AND s.blocked THEN 'blocked' ELSE r.status END)
  AND ($5::text IS NULL OR r.reason = $5)
ORDER BY r.address LIMIT $6

-- name: page_of_returns
-- A page of what was returned, newest first, with contact and block state.
SELECT r.mailing, coalesce(r.written, r.address) AS address, r.returned_at, r.hard, r.exhausted, r.reason, r.reply_code,
       r.enhanced_status, r.diagnostic, r.status, coalesce(s.blocked, false) AS blocked, s.cause, s.return_count,
       c.contact, c.name, c.company
FROM recipients AS r
LEFT JOIN address_states AS s ON s.tenant = r.tenant AND s.address = r.address AND s.blocked
LEFT JOIN LATERAL (SELECT o.contact, o.name, o.company FROM contact_addresses AS a JOIN contacts AS o USING (tenant, contact)
                   WHERE a.tenant = r.tenant AND a.address = r.address ORDER BY a.rank, a.contact LIMIT 1) AS c ON true
WHERE r.tenant = $1 AND r.returned_at IS NOT NULL
  AND ($2::text IS NULL OR r.mailing = $2) AND ($3::boolean IS NULL OR r.hard = $3)
  AND ($4::text IS NULL OR r.reason = $4) AND ($5::boolean IS NULL OR coalesce(s.blocked, false) = $5)
  AND ($6::boolean IS NULL OR (c.contact IS NOT NULL) = $6)
  AND ($7::timestamptz IS NULL OR (r.returned_at, r.mailing, r.address) < ($7, $8, $9))
ORDER BY r.returned_at DESC, r.mailing DESC, r.address DESC LIMIT $10
