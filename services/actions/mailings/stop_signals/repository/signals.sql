-- name: delete_minutes
-- Delete the counts of a mailing.
DELETE FROM mailing_minutes WHERE tenant = $1 AND mailing = $2

-- name: count_minutes
-- Count a mailing by minute in one pass. A return counts when its result is here, too: verdicts come by another queue, and
-- overtake the sendings of all others when that one is behind. Hard bounces of a domain count outside of its storms alone.
WITH base AS MATERIALIZED (
    SELECT date_trunc('minute', coalesce(r.sent_at, least(r.delivered_at, r.deferred_at, r.failed_at, r.opened_at,
                                                          r.complained_at, r.unsubscribed_at))) AS sent,
           CASE WHEN r.status IN ('hard_bounced', 'soft_bounced') THEN date_trunc('minute', r.returned_at) END AS returned,
           r.status = 'hard_bounced' AND r.reason = ANY ($3::text[]) AND NOT r.exhausted AND NOT EXISTS (
               SELECT FROM storms AS s
               WHERE s.tenant = r.tenant AND s.kind = 'domain' AND s.value = split_part(r.address, '@', -1)
                 AND r.returned_at >= s.begun AND r.returned_at < coalesce(s.ended, 'infinity')) AS hard,
           r.reason = ANY ($4::text[]) AS sender_fault, date_trunc('minute', r.complained_at) AS complained,
           count(*) AS rows
    FROM recipients AS r
    WHERE r.tenant = $1 AND r.mailing = $2
      AND num_nonnulls(r.sent_at, r.delivered_at, r.deferred_at, r.failed_at, r.opened_at, r.complained_at,
                       r.unsubscribed_at) > 0
      AND (r.returned_at IS NULL OR num_nonnulls(r.deferred_at, r.failed_at) > 0)
    GROUP BY 1, 2, 3, 4, 5),
happened AS (
    SELECT e.kind, e.minute, b.rows
    FROM base AS b
    CROSS JOIN LATERAL (VALUES ('sent', b.sent), ('returned', b.returned), ('hard', CASE WHEN b.hard THEN b.returned END),
                               ('complaint', b.complained), ('fault', CASE WHEN b.sender_fault THEN b.returned END))
        AS e (kind, minute)
    WHERE e.minute IS NOT NULL)
INSERT INTO mailing_minutes (tenant, mailing, minute, sent, returned, hard_bounces, complaints, sender_faults)
SELECT $1, $2, minute,
       coalesce(sum(rows) FILTER (WHERE kind = 'sent'), 0), coalesce(sum(rows) FILTER (WHERE kind = 'returned'), 0),
       coalesce(sum(rows) FILTER (WHERE kind = 'hard'), 0), coalesce(sum(rows) FILTER (WHERE kind = 'complaint'), 0),
       coalesce(sum(rows) FILTER (WHERE kind = 'fault'), 0)
FROM happened GROUP BY minute

-- name: minutes
-- The counts of a mailing by minute.
SELECT minute, sent, returned, hard_bounces, complaints, sender_faults FROM mailing_minutes
WHERE tenant = $1 AND mailing = $2 ORDER BY minute

-- name: together
-- The counts of all mailings of a tenant by minute.
SELECT minute, sum(sent)::integer, sum(returned)::integer, sum(hard_bounces)::integer, sum(complaints)::integer,
       sum(sender_faults)::integer
FROM mailing_minutes WHERE tenant = $1 AND minute > $2 AND minute <= $3 GROUP BY minute

-- name: past_mailings
-- The newest mailings of a tenant that were sent since a time, each with its counts by minute.
SELECT m.mailing, m.name, m.at, c.minutes, c.sent, c.returned, c.hard_bounces, c.complaints, c.sender_faults
FROM (SELECT mailing, name, coalesce(sent_at, first_seen) AS at FROM mailings
      WHERE tenant = $1 AND coalesce(sent_at, first_seen) >= $2
      ORDER BY coalesce(sent_at, first_seen) DESC, mailing DESC LIMIT $3) AS m
CROSS JOIN LATERAL (
    SELECT array_agg(minute ORDER BY minute) AS minutes, array_agg(sent ORDER BY minute) AS sent,
           array_agg(returned ORDER BY minute) AS returned, array_agg(hard_bounces ORDER BY minute) AS hard_bounces,
           array_agg(complaints ORDER BY minute) AS complaints, array_agg(sender_faults ORDER BY minute) AS sender_faults
    FROM mailing_minutes AS c WHERE c.tenant = $1 AND c.mailing = m.mailing) AS c
WHERE c.minutes IS NOT NULL ORDER BY m.at DESC, m.mailing DESC

-- name: breaches
-- The breaches of a mailing that were noticed.
SELECT kind, level, time, count, of_results, threshold, scope, noticed_at FROM mailing_breaches
WHERE tenant = $1 AND mailing = $2 ORDER BY time, kind, level

-- name: add_breaches
-- Keep breaches, each kind and level once.
INSERT INTO mailing_breaches (tenant, mailing, kind, level, time, count, of_results, threshold, scope, noticed_at)
SELECT $1, $2, n.*, $3
FROM unnest($4::text[], $5::text[], $6::timestamptz[], $7::integer[], $8::integer[], $9::float8[], $10::text[])
     AS n (kind, level, time, count, of_results, threshold, scope)
ON CONFLICT DO NOTHING

-- name: mark_since
-- Have the mailings of tenants counted again to which anything has happened since these times.
INSERT INTO statistics_due (tenant, counted, name)
SELECT DISTINCT m.tenant, 'signals', m.mailing
FROM unnest($1::text[], $2::timestamptz[]) AS n (tenant, since)
JOIN mailings AS m ON m.tenant = n.tenant AND m.last_seen >= n.since
ORDER BY 1, 3 ON CONFLICT DO NOTHING

-- name: mark
-- Have a mailing counted again.
INSERT INTO statistics_due (tenant, counted, name) VALUES ($1, 'signals', $2) ON CONFLICT DO NOTHING

-- name: record_storms
-- Keep storms; what ends one may come before what begins it.
INSERT INTO storms AS s (tenant, storm, kind, value, begun, ended)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[])
ON CONFLICT (tenant, storm) DO UPDATE SET ended = coalesce(s.ended, excluded.ended)
