-- name: record_mailings
-- First and last event time of mailings; writes only what widens the range.
INSERT INTO mailings AS m (tenant, mailing, first_seen, last_seen)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[])
ON CONFLICT (tenant, mailing) DO UPDATE SET
    first_seen = least(m.first_seen, excluded.first_seen), last_seen = greatest(m.last_seen, excluded.last_seen)
WHERE excluded.first_seen < m.first_seen OR excluded.last_seen > m.last_seen

-- name: record_senders
-- The system that sent each mailing: the first that is known stays.
INSERT INTO mailing_senders (tenant, mailing, sender) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT DO NOTHING

-- name: mailing
-- One mailing.
SELECT mailing, name, subject, sent_at, first_seen, last_seen, recipients_removed_at, version
FROM mailings WHERE tenant = $1 AND mailing = $2

-- name: lock_mailings
-- Lock mailings, and read them.
SELECT m.* FROM mailings AS m JOIN unnest($1::text[], $2::text[]) AS k (tenant, mailing) USING (tenant, mailing)
ORDER BY m.tenant, m.mailing FOR UPDATE OF m

-- name: write_mailings
-- New values of mailings that exist.
UPDATE mailings AS m SET name = n.name, name_at = n.name_at, subject = n.subject, subject_at = n.subject_at,
    sent_at = n.sent_at, sent_told_at = n.sent_told_at, version = n.version, folded = n.folded
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::timestamptz[], $7::timestamptz[],
            $8::timestamptz[], $9::bigint[], $10::text[])
     AS n (tenant, mailing, name, name_at, subject, subject_at, sent_at, sent_told_at, version, folded)
WHERE m.tenant = n.tenant AND m.mailing = n.mailing

-- name: plan_recipients
-- Add recipients that mailings are going to have.
INSERT INTO recipients (tenant, mailing, address)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) ON CONFLICT DO NOTHING

-- name: page_of_mailings
-- A page of mailings, newest first, with their recipients by status, as `page_of_recipients` has it.
SELECT m.mailing, m.first_seen, m.last_seen, m.recipients_removed_at,
       (SELECT coalesce(jsonb_object_agg(n.status, n.count), '{}')
        FROM (SELECT CASE WHEN s.blocked THEN 'blocked' ELSE r.status END AS status, count(*) AS count
              FROM recipients AS r LEFT JOIN address_states AS s
                  ON r.status = 'ready' AND s.blocked AND s.tenant = r.tenant AND s.address = r.address
              WHERE r.tenant = m.tenant AND r.mailing = m.mailing GROUP BY 1) AS n) AS counts
FROM mailings AS m
WHERE m.tenant = $1 AND ($2::timestamptz IS NULL OR m.first_seen < $2 OR (m.first_seen = $2 AND m.mailing > $3))
ORDER BY m.first_seen DESC, m.mailing LIMIT $4
