-- name: mailing
-- What is known of one mailing.
SELECT mailing, name, subject, sent_at, first_seen, last_seen, version FROM mailings WHERE tenant = $1 AND mailing = $2

-- name: read_mailings
-- Mailings, in hand from here on.
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
-- Recipients that mailings are going to have.
INSERT INTO recipients (tenant, mailing, address)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) ON CONFLICT DO NOTHING
