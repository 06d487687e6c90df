-- name: mark_dirty
-- Mailings, or days of blocks, that have to be counted again, for each purpose. Run after the change, in the same
-- transaction; all insert in the same order.
INSERT INTO statistics_due (tenant, counted, name)
SELECT n.tenant, c.counted, n.name FROM unnest($2::text[], $3::text[]) AS n (tenant, name) CROSS JOIN unnest($1::text[]) AS c (counted)
ORDER BY n.tenant, n.name, c.counted
ON CONFLICT DO NOTHING

-- name: take_dirty
-- Take what has changed and was not aggregated in the last $1 seconds, nor in the last $2 times what that took.
DELETE FROM statistics_due AS d
USING (SELECT w.tenant, w.counted, w.name
       FROM statistics_due AS w LEFT JOIN statistics_runs AS c USING (tenant, counted, name)
       WHERE w.counted = ANY ($3::text[]) AND c.horizon IS NULL AND coalesce(c.counted_at, '-infinity') < clock_timestamp() - make_interval(secs => greatest($1::float8, c.took * $2))
       LIMIT 1000 FOR UPDATE OF w SKIP LOCKED) AS t
WHERE d.tenant = t.tenant AND d.counted = t.counted AND d.name = t.name
RETURNING d.tenant, d.counted, d.name

-- name: schedule_runs
-- Schedule runs, each behind a horizon that is not set yet.
INSERT INTO statistics_runs AS r (tenant, counted, name, horizon)
SELECT tenant, counted, name, '0'
FROM unnest($1::text[], $2::text[], $3::text[]) AS n (tenant, counted, name)
ON CONFLICT (tenant, counted, name) DO UPDATE SET horizon = excluded.horizon

-- name: set_horizons
-- Make runs wait for all transactions that began to write before this one: they may change what was taken without
-- marking it again. Run after the transaction of `schedule_runs` has ended.
UPDATE statistics_runs SET horizon = pg_current_xact_id() WHERE horizon = '0'

-- name: take_ready
-- Lock one run of these that is behind its horizon.
SELECT tenant, counted, name FROM statistics_runs
WHERE counted = ANY ($1::text[]) AND horizon > '0' AND horizon <= pg_snapshot_xmin(pg_current_snapshot())
ORDER BY counted_at LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: finish_run
-- A run is finished; it took $4 seconds.
UPDATE statistics_runs SET counted_at = clock_timestamp(), took = $4, horizon = NULL
WHERE tenant = $1 AND counted = $2 AND name = $3

-- name: delete_mailing
-- Delete the aggregates of a mailing.
DELETE FROM statistics WHERE tenant = $1 AND mailing = $2

-- name: aggregate_mailing
-- Aggregate a mailing in one pass. Each thing counts on the day on which it happened; of domains the largest and those that
-- returned most have a row of their own.
WITH base AS MATERIALIZED (
    SELECT split_part(r.address, '@', -1) AS domain, r.reason, coalesce(w.sent, w.day) AS sent,
           CASE WHEN r.status IN ('delivered', 'opened', 'complained') THEN w.got END AS delivered,
           CASE WHEN r.status = 'hard_bounced' THEN w.returned END AS hard,
           CASE WHEN r.status = 'soft_bounced' THEN w.returned END AS soft,
           r.complained_at::date AS complained, r.opened_at::date AS opened, r.unsubscribed_at::date AS unsubscribed,
           CASE WHEN w.returned IS NOT NULL AND r.status IN ('delivered', 'opened', 'complained') THEN w.got END AS recovered,
           count(*) AS rows
    FROM recipients AS r
    CROSS JOIN LATERAL (
        SELECT r.sent_at::date AS sent, r.returned_at::date AS returned,
               coalesce(r.delivered_at, r.opened_at, r.complained_at)::date AS got,
               least(r.delivered_at, r.deferred_at, r.failed_at, r.returned_at, r.opened_at, r.complained_at)::date AS day) AS w
    WHERE r.tenant = $1 AND r.mailing = $2 AND r.status <> 'ready'
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
sizes AS (SELECT domain, sum(rows) AS rows, sum(rows) FILTER (WHERE coalesce(hard, soft) IS NOT NULL) AS returned
          FROM base GROUP BY domain),
shown AS ((SELECT domain FROM sizes ORDER BY rows DESC, domain LIMIT 50)
          UNION (SELECT domain FROM sizes WHERE returned > 0 ORDER BY returned DESC, domain LIMIT 50)),
happened AS (
    SELECT coalesce(s.domain, '') AS domain, b.reason, e.kind, e.day, b.rows
    FROM base AS b LEFT JOIN shown AS s USING (domain)
    CROSS JOIN LATERAL (VALUES ('sent', b.sent), ('delivered', b.delivered), ('hard', b.hard), ('soft', b.soft),
                               ('complained', b.complained), ('opened', b.opened), ('unsubscribed', b.unsubscribed),
                               ('recovered', b.recovered)) AS e (kind, day)
    WHERE e.day IS NOT NULL)
INSERT INTO statistics (tenant, mailing, split, value, day, sent, delivered, hard, soft, complained, opened, unsubscribed, recovered)
SELECT $1, $2,
       CASE WHEN grouping(domain) = 0 THEN 'domain' WHEN grouping(reason) = 0 THEN 'reason' ELSE 'day' END,
       coalesce(domain, reason, ''), day,
       coalesce(sum(rows) FILTER (WHERE kind = 'sent'), 0), coalesce(sum(rows) FILTER (WHERE kind = 'delivered'), 0),
       coalesce(sum(rows) FILTER (WHERE kind = 'hard'), 0), coalesce(sum(rows) FILTER (WHERE kind = 'soft'), 0),
       coalesce(sum(rows) FILTER (WHERE kind = 'complained'), 0), coalesce(sum(rows) FILTER (WHERE kind = 'opened'), 0),
       coalesce(sum(rows) FILTER (WHERE kind = 'unsubscribed'), 0), coalesce(sum(rows) FILTER (WHERE kind = 'recovered'), 0)
FROM happened GROUP BY GROUPING SETS ((day), (day, reason), (day, domain))
HAVING grouping(reason) = 1 OR reason IS NOT NULL

-- name: delete_blocks
-- Delete the aggregates of a day's blocks.
DELETE FROM statistics_blocks WHERE tenant = $1 AND day = $2::text::date

-- name: aggregate_blocks
-- Aggregate the blocks and lifts of a day.
INSERT INTO statistics_blocks (tenant, day, cause, blocked, lifted)
SELECT $1, $2::text::date, cause, count(*) FILTER (WHERE blocked), count(*) FILTER (WHERE NOT blocked)
FROM address_events WHERE tenant = $1 AND time >= $2::text::date AND time < $2::text::date + 1 GROUP BY cause

-- name: days
-- What happened on each day from $2 to $3.
SELECT day, {counts} FROM statistics
WHERE tenant = $1 AND split = 'day' AND day BETWEEN $2 AND $3 AND ($4::text IS NULL OR mailing = $4)
GROUP BY day ORDER BY day

-- name: split
-- What happened from $2 to $3 by reason or by domain, the most returned first.
SELECT value, {counts} FROM statistics
WHERE tenant = $1 AND split = $5 AND day BETWEEN $2 AND $3 AND ($4::text IS NULL OR mailing = $4)
GROUP BY value ORDER BY (value = ''), sum(hard + soft) DESC, sum(sent) DESC, value LIMIT $6

-- name: blocks
-- Blocks and lifts of each day by what caused them.
SELECT day, cause, blocked, lifted FROM statistics_blocks WHERE tenant = $1 AND day BETWEEN $2 AND $3 ORDER BY day, cause

-- name: page_of_mailings
-- A page of mailings, the last that were sent first, with what became of them.
SELECT m.mailing, m.name, m.subject, m.at, s.*
FROM (SELECT mailing, name, subject, coalesce(sent_at, first_seen) AS at FROM mailings
      WHERE tenant = $1 AND ($2::timestamptz IS NULL OR (coalesce(sent_at, first_seen), mailing) < ($2, $3))
        AND ($5::text IS NULL OR strpos(lower(concat_ws(' ', name, subject, mailing)), $5) > 0)
        AND ($6::date IS NULL OR coalesce(sent_at, first_seen) >= $6::timestamp AT TIME ZONE 'UTC')
        AND ($7::date IS NULL OR coalesce(sent_at, first_seen) < ($7 + 1)::timestamp AT TIME ZONE 'UTC')
      ORDER BY coalesce(sent_at, first_seen) DESC, mailing DESC LIMIT $4) AS m
CROSS JOIN LATERAL (SELECT {counts} FROM statistics AS c WHERE c.tenant = $1 AND c.mailing = m.mailing AND c.split = 'day') AS s
ORDER BY m.at DESC, m.mailing DESC

-- name: pending
-- How many mailings and days of a tenant have changed since they were aggregated.
SELECT (SELECT count(*) FROM statistics_due WHERE tenant = $1 AND counted <> 'signals')
     + (SELECT count(*) FROM statistics_runs WHERE tenant = $1 AND counted <> 'signals' AND horizon IS NOT NULL) AS pending

-- name: tenants
-- All tenants that have statistics, one step in the index each.
WITH RECURSIVE found AS (
    (SELECT tenant FROM statistics ORDER BY tenant LIMIT 1)
    UNION ALL
    SELECT (SELECT s.tenant FROM statistics s WHERE s.tenant > found.tenant ORDER BY s.tenant LIMIT 1)
    FROM found WHERE found.tenant IS NOT NULL
)
SELECT tenant FROM found WHERE tenant IS NOT NULL
