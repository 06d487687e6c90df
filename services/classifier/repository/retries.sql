-- name: lock_erasures_shared
-- Make erasures wait until this transaction ends.
SELECT pg_advisory_xact_lock_shared(hashtextextended('returpost classifier erasures', 0))

-- name: lock_erasures
-- Wait for the transactions that write addresses, and make new ones wait.
SELECT pg_advisory_xact_lock(hashtextextended('returpost classifier erasures', 0))

-- name: merge_soft_bounces
-- Add the times of soft bounces to their recipients; what has ended stays ended for now. Returns all that is known;
-- of recipients that were erased since, nothing is kept.
INSERT INTO retries AS r (recipient, tenant, mailing, address, written, sender, cause, reason, times, contact, state)
SELECT n.recipient, n.tenant, n.mailing, n.address, n.written, n.sender, n.cause, n.reason, ARRAY[n.time],
       nullif(n.contact, ''), 'waiting'
FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::text[],
            $9::timestamptz[], $10::text[])
     AS n (recipient, tenant, mailing, address, written, sender, cause, reason, time, contact)
WHERE NOT EXISTS (SELECT FROM erased_addresses AS e WHERE e.key = erased_key(n.tenant, n.address) AND e.erased_at >= n.time)
ON CONFLICT (recipient) DO UPDATE SET (times, written, sender, cause, reason, contact) = (
    SELECT CASE WHEN r.times @> excluded.times THEN r.times
                ELSE ARRAY(SELECT t FROM (SELECT t FROM unnest(r.times || excluded.times) AS t ORDER BY t DESC LIMIT 100)
                           AS latest ORDER BY t) END,
           CASE WHEN newer THEN excluded.written ELSE r.written END,
           CASE WHEN newer THEN excluded.sender ELSE r.sender END,
           CASE WHEN newer THEN excluded.cause ELSE r.cause END,
           CASE WHEN newer THEN excluded.reason ELSE r.reason END,
           CASE WHEN newer THEN coalesce(excluded.contact, r.contact) ELSE coalesce(r.contact, excluded.contact) END
    FROM (SELECT (excluded.times[1], excluded.cause) > (r.times[cardinality(r.times)], r.cause)) AS compared (newer)
)
RETURNING recipient, times, reason

-- name: schedule
-- Write the decisions: exhausted, or when to try again, unless what is known already settles it. An attempt that was
-- asked for before is not asked for again; one that still waits may get another time.
UPDATE retries AS r SET
    attempt = d.attempt,
    state = CASE WHEN d.exhausted THEN 'exhausted' ELSE coalesce(d.outcome, CASE WHEN d.blocked THEN 'dropped' ELSE 'waiting' END) END,
    due = CASE WHEN d.outcome IS NULL THEN d.due END,
    paused_due = NULL
FROM (
    SELECT n.recipient, n.exhausted, n.attempt, n.due, s.state AS outcome, b.blocked
    FROM unnest($1::bytea[], $2::boolean[], $3::integer[], $4::timestamptz[]) AS n (recipient, exhausted, attempt, due)
    JOIN retries AS q USING (recipient)
    LEFT JOIN outcomes AS s ON s.recipient = q.recipient AND s.time >= q.times[cardinality(q.times)]
    LEFT JOIN blocks AS b ON b.tenant = q.tenant AND b.address = q.address
) AS d
WHERE r.recipient = d.recipient AND (d.exhausted OR d.attempt > r.attempt OR (d.attempt = r.attempt AND (r.due IS NOT NULL OR r.state = 'paused')))

-- name: record_outcomes
-- Remember the latest time at which each recipient was delivered or failed for good; at the same time, delivered.
INSERT INTO outcomes AS s (recipient, time, state)
SELECT * FROM unnest($1::bytea[], $2::timestamptz[], $3::text[])
ON CONFLICT (recipient) DO UPDATE SET time = excluded.time, state = excluded.state
WHERE (s.time, s.state) < (excluded.time, excluded.state)

-- name: end_retries
-- End the retries that a delivery or a failure answers. Few recipients have any: OFFSET 0 has those found first.
UPDATE retries AS r SET state = s.state, due = NULL
FROM unnest($1::bytea[]) AS d (recipient)
CROSS JOIN LATERAL (SELECT q.recipient FROM retries AS q WHERE q.recipient = d.recipient OFFSET 0) AS retried
JOIN outcomes AS s ON s.recipient = retried.recipient
WHERE r.recipient = s.recipient AND r.times[cardinality(r.times)] <= s.time AND r.state NOT IN ('exhausted', s.state)

-- name: apply_blocks
-- Keep the newest block state of each address, but of those that were erased since.
INSERT INTO blocks AS b (tenant, address, version, blocked)
SELECT n.tenant, n.address, n.version, n.blocked
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::boolean[], $5::timestamptz[]) AS n (tenant, address, version, blocked, time)
WHERE NOT EXISTS (SELECT FROM erased_addresses AS e WHERE e.key = erased_key(n.tenant, n.address) AND e.erased_at >= n.time)
ON CONFLICT (tenant, address) DO UPDATE SET version = excluded.version, blocked = excluded.blocked
WHERE b.version < excluded.version

-- name: follow_blocks
-- Drop the pending retries of addresses that are blocked now; those whose block was lifted before they were due wait again.
UPDATE retries AS r SET state = CASE WHEN b.blocked THEN 'dropped' ELSE 'waiting' END
FROM unnest($1::text[], $2::text[]) AS d (tenant, address)
JOIN blocks AS b USING (tenant, address)
WHERE r.tenant = d.tenant AND r.address = d.address AND r.due IS NOT NULL AND (r.state = 'dropped') <> b.blocked

-- name: erase
-- Remove all that is kept by address and happened before its erasure.
WITH gone AS (
    SELECT tenant, address, time FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS d (tenant, address, time)
), unblocked AS (
    DELETE FROM blocks AS b USING gone AS g WHERE b.tenant = g.tenant AND b.address = g.address
)
DELETE FROM retries AS r USING gone AS g
WHERE r.tenant = g.tenant AND r.address = g.address AND r.times[cardinality(r.times)] <= g.time

-- name: count_retries
-- Retries of a tenant (and a mailing) by state. Pending ones are counted as they would be decided if they were due now: a
-- block and a bounce that were applied at the same time have not seen each other.
SELECT shown.state, count(*) AS count, sum(cardinality(r.times)) AS soft_bounces FROM retries AS r
LEFT JOIN outcomes AS s ON r.due IS NOT NULL AND s.recipient = r.recipient AND s.time >= r.times[cardinality(r.times)]
LEFT JOIN blocks AS b ON r.due IS NOT NULL AND b.tenant = r.tenant AND b.address = r.address
CROSS JOIN LATERAL (SELECT CASE WHEN r.due IS NULL THEN r.state WHEN s.state IS NOT NULL THEN s.state
                                WHEN b.blocked THEN 'dropped' ELSE 'waiting' END) AS shown (state)
WHERE r.tenant = $1 AND ($2::text IS NULL OR r.mailing = $2) GROUP BY shown.state ORDER BY shown.state

-- name: list_retries
-- A page of retries in one state, shown as they are counted.
SELECT r.recipient, r.mailing, r.written AS address, r.sender, r.reason, cardinality(r.times) AS soft_bounces, shown.state,
       r.due, r.requested_at
FROM retries AS r
LEFT JOIN outcomes AS s ON r.due IS NOT NULL AND s.recipient = r.recipient AND s.time >= r.times[cardinality(r.times)]
LEFT JOIN blocks AS b ON r.due IS NOT NULL AND b.tenant = r.tenant AND b.address = r.address
CROSS JOIN LATERAL (SELECT CASE WHEN r.due IS NULL THEN r.state WHEN s.state IS NOT NULL THEN s.state
                                WHEN b.blocked THEN 'dropped' ELSE 'waiting' END) AS shown (state)
WHERE r.tenant = $1 AND shown.state = $2 AND ($3::bytea IS NULL OR r.recipient > $3) ORDER BY r.recipient LIMIT $4

-- name: purge_outcomes
-- Delete outcomes from before a time.
DELETE FROM outcomes WHERE time < $1

-- name: purge_erased
-- Delete erasures from before a time.
DELETE FROM erased_addresses WHERE erased_at < $1

-- name: purge_retries
-- Delete ended retries from before a time.
DELETE FROM retries WHERE state NOT IN ('waiting', 'requested') AND times[cardinality(times)] < $1
