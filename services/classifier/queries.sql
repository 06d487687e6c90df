-- name: record_verdicts
-- Keep the verdict of each bounce once.
INSERT INTO verdicts (id, tenant, mailing, type, reason, fault, rule, time)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[])
ON CONFLICT (id) DO NOTHING

-- name: merge_soft_bounces
-- Add the times of soft bounces to their recipients; what has ended stays ended for now. Returns all that is known;
-- of recipients that were erased since, nothing is kept.
INSERT INTO retries AS r (recipient, tenant, mailing, address, written, sender, cause, reason, times, state)
SELECT n.recipient, n.tenant, n.mailing, n.address, n.written, n.sender, n.cause, n.reason, ARRAY[n.time], 'waiting'
FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::text[], $9::timestamptz[])
     AS n (recipient, tenant, mailing, address, written, sender, cause, reason, time)
WHERE NOT EXISTS (SELECT FROM erased AS e WHERE e.place = place(n.tenant, n.address) AND e.time >= n.time)
ON CONFLICT (recipient) DO UPDATE SET (times, written, sender, cause, reason) = (
    SELECT CASE WHEN r.times @> excluded.times THEN r.times
                ELSE ARRAY(SELECT t FROM (SELECT t FROM unnest(r.times || excluded.times) AS t ORDER BY t DESC LIMIT 100)
                           AS latest ORDER BY t) END,
           CASE WHEN newer THEN excluded.written ELSE r.written END,
           CASE WHEN newer THEN excluded.sender ELSE r.sender END,
           CASE WHEN newer THEN excluded.cause ELSE r.cause END,
           CASE WHEN newer THEN excluded.reason ELSE r.reason END
    FROM (SELECT (excluded.times[1], excluded.cause) > (r.times[cardinality(r.times)], r.cause)) AS compared (newer)
)
RETURNING recipient, times, reason

-- name: schedule
-- Write the decisions: exhausted, or when to try again, unless what is known already settles it. An attempt that was
-- asked for before is not asked for again; one that still waits may get another time.
UPDATE retries AS r SET
    attempt = d.attempt,
    state = CASE WHEN d.exhausted THEN 'exhausted' ELSE coalesce(d.settled, CASE WHEN d.blocked THEN 'dropped' ELSE 'waiting' END) END,
    due = CASE WHEN d.settled IS NULL THEN d.due END
FROM (
    SELECT n.recipient, n.exhausted, n.attempt, n.due, s.state AS settled, b.blocked
    FROM unnest($1::bytea[], $2::boolean[], $3::integer[], $4::timestamptz[]) AS n (recipient, exhausted, attempt, due)
    JOIN retries AS q USING (recipient)
    LEFT JOIN settled AS s ON s.recipient = q.recipient AND s.time >= q.times[cardinality(q.times)]
    LEFT JOIN blocks AS b ON b.tenant = q.tenant AND b.address = q.address
) AS d
WHERE r.recipient = d.recipient AND (d.exhausted OR d.attempt > r.attempt OR (d.attempt = r.attempt AND r.due IS NOT NULL))

-- name: settle
-- Remember the latest time at which each recipient was delivered or failed for good; at the same time, delivered.
INSERT INTO settled AS s (recipient, time, state)
SELECT * FROM unnest($1::bytea[], $2::timestamptz[], $3::text[])
ON CONFLICT (recipient) DO UPDATE SET time = excluded.time, state = excluded.state
WHERE (s.time, s.state) < (excluded.time, excluded.state)

-- name: end_retries
-- End the retries that a delivery or a failure answers.
UPDATE retries AS r SET state = s.state, due = NULL
FROM unnest($1::bytea[]) AS d (recipient) JOIN settled AS s USING (recipient)
WHERE r.recipient = d.recipient AND r.times[cardinality(r.times)] <= s.time AND r.state NOT IN ('exhausted', s.state)

-- name: apply_blocks
-- Keep the newest block state of each address, but of those that were erased since.
INSERT INTO blocks AS b (tenant, address, version, blocked)
SELECT n.tenant, n.address, n.version, n.blocked
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::boolean[], $5::timestamptz[]) AS n (tenant, address, version, blocked, time)
WHERE NOT EXISTS (SELECT FROM erased AS e WHERE e.place = place(n.tenant, n.address) AND e.time >= n.time)
ON CONFLICT (tenant, address) DO UPDATE SET version = excluded.version, blocked = excluded.blocked
WHERE b.version < excluded.version

-- name: follow_blocks
-- Drop the pending retries of addresses that are blocked now; those whose block was lifted before they were due wait again.
UPDATE retries AS r SET state = CASE WHEN b.blocked THEN 'dropped' ELSE 'waiting' END
FROM unnest($1::text[], $2::text[]) AS d (tenant, address)
JOIN blocks AS b USING (tenant, address)
WHERE r.tenant = d.tenant AND r.address = d.address AND r.due IS NOT NULL AND (r.state = 'dropped') <> b.blocked

-- name: remember_erasures
-- Remember when each address was erased, by its hash.
INSERT INTO erased AS e (place, time)
SELECT place(n.tenant, n.address), n.time FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS n (tenant, address, time)
ON CONFLICT (place) DO UPDATE SET time = excluded.time WHERE e.time < excluded.time

-- name: erase
-- Remove all that is kept by address and happened before its erasure.
WITH gone AS (
    SELECT tenant, address, time FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS d (tenant, address, time)
), unblocked AS (
    DELETE FROM blocks AS b USING gone AS g WHERE b.tenant = g.tenant AND b.address = g.address
)
DELETE FROM retries AS r USING gone AS g
WHERE r.tenant = g.tenant AND r.address = g.address AND r.times[cardinality(r.times)] <= g.time

-- name: take_due
-- Take pending retries that are due, with what may have settled them in the meantime.
SELECT r.recipient, r.tenant, r.mailing, r.written, r.sender, r.cause, r.reason, r.attempt, r.due,
       s.state AS settled, coalesce(b.blocked, false) AS blocked, e.place IS NOT NULL AS erased,
       r.times[cardinality(r.times)] < $2 AS forgotten
FROM retries AS r
LEFT JOIN settled AS s ON s.recipient = r.recipient AND s.time >= r.times[cardinality(r.times)]
LEFT JOIN blocks AS b ON b.tenant = r.tenant AND b.address = r.address
LEFT JOIN erased AS e ON e.place = place(r.tenant, r.address) AND e.time >= r.times[cardinality(r.times)]
WHERE r.due <= $1
ORDER BY r.due LIMIT $3
FOR UPDATE OF r SKIP LOCKED

-- name: end_dispatch
-- Write what became of the retries that were taken.
UPDATE retries AS r
SET state = d.state, due = NULL, requested_at = CASE WHEN d.state = 'requested' THEN $3 ELSE r.requested_at END
FROM unnest($1::bytea[], $2::text[]) AS d (recipient, state)
WHERE r.recipient = d.recipient

-- name: remove
-- Remove retries.
DELETE FROM retries WHERE recipient = ANY($1::bytea[])

-- name: report_lost
-- Mark the commands that were never answered; each is reported once. A blocked address is skipped by its sender: no
-- answer is what is expected of it.
WITH ended AS (
    UPDATE retries AS r SET state = CASE WHEN EXISTS (
        SELECT FROM blocks AS b WHERE b.tenant = r.tenant AND b.address = r.address AND b.blocked
    ) THEN 'dropped' ELSE 'lost' END
    WHERE r.state = 'requested' AND r.requested_at < $1
    RETURNING tenant, mailing, sender, state
)
SELECT tenant, mailing, sender FROM ended WHERE state = 'lost'

-- name: count_verdicts
-- Verdicts of a tenant (and a mailing) by type and reason.
SELECT type, reason, count(*) AS count FROM verdicts
WHERE tenant = $1 AND ($2::text IS NULL OR mailing = $2) GROUP BY type, reason ORDER BY count DESC, type, reason

-- name: count_retries
-- Retries of a tenant (and a mailing) by state.
SELECT state, count(*) AS count, sum(cardinality(times)) AS soft_bounces FROM retries
WHERE tenant = $1 AND ($2::text IS NULL OR mailing = $2) GROUP BY state ORDER BY state

-- name: list_retries
-- A page of retries in one state.
SELECT recipient, mailing, written AS address, sender, reason, cardinality(times) AS soft_bounces, state, due, requested_at
FROM retries WHERE tenant = $1 AND state = $2 AND ($3::bytea IS NULL OR recipient > $3) ORDER BY recipient LIMIT $4

-- name: purge_verdicts
-- Forget verdicts from before a time.
DELETE FROM verdicts WHERE time < $1

-- name: purge_settled
-- Forget deliveries from before a time.
DELETE FROM settled WHERE time < $1

-- name: purge_erased
-- Forget erasures from before a time.
DELETE FROM erased WHERE time < $1

-- name: purge_retries
-- Forget ended retries from before a time.
DELETE FROM retries WHERE state NOT IN ('waiting', 'requested') AND times[cardinality(times)] < $1
