-- name: record_verdicts
-- Keep the verdict of each bounce once.
INSERT INTO verdicts (id, tenant, mailing, type, reason, fault, rule, time)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[])
ON CONFLICT (id) DO NOTHING

-- name: merge_soft_bounces
-- Add the times of soft bounces to their recipients; what has ended stays ended for now. Returns all that is known.
INSERT INTO retries AS r (recipient, tenant, mailing, address, written, sender, cause, reason, times, state)
SELECT n.recipient, n.tenant, n.mailing, n.address, n.written, n.sender, n.cause, n.reason, ARRAY[n.time], 'waiting'
FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::text[], $9::timestamptz[])
     AS n (recipient, tenant, mailing, address, written, sender, cause, reason, time)
ON CONFLICT (recipient) DO UPDATE SET
    times = CASE WHEN r.times @> excluded.times OR cardinality(r.times) >= 100 THEN r.times
                 ELSE ARRAY(SELECT t FROM unnest(r.times || excluded.times) AS t ORDER BY t) END,
    cause = CASE WHEN excluded.times[1] >= r.times[cardinality(r.times)] THEN excluded.cause ELSE r.cause END,
    reason = CASE WHEN excluded.times[1] >= r.times[cardinality(r.times)] THEN excluded.reason ELSE r.reason END
RETURNING recipient, times, attempt, reason

-- name: schedule
-- Write the decisions: a new attempt to wait for, or exhausted.
UPDATE retries AS r SET state = d.state, attempt = d.attempt, due = d.due
FROM unnest($1::bytea[], $2::text[], $3::integer[], $4::timestamptz[]) AS d (recipient, state, attempt, due)
WHERE r.recipient = d.recipient

-- name: settle
-- Remember the latest time at which each recipient was delivered or failed for good.
INSERT INTO settled AS s (recipient, time, state)
SELECT * FROM unnest($1::bytea[], $2::timestamptz[], $3::text[])
ON CONFLICT (recipient) DO UPDATE SET time = excluded.time, state = excluded.state WHERE s.time < excluded.time

-- name: end_retries
-- End the retries that these deliveries or failures answer.
UPDATE retries AS r SET state = d.state, due = NULL
FROM unnest($1::bytea[], $2::timestamptz[], $3::text[]) AS d (recipient, time, state)
WHERE r.recipient = d.recipient AND r.state IN ('waiting', 'requested', 'lost') AND r.times[cardinality(r.times)] <= d.time

-- name: apply_blocks
-- Keep the newest block state of each address.
INSERT INTO blocks AS b (tenant, address, version, blocked)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::boolean[])
ON CONFLICT (tenant, address) DO UPDATE SET version = excluded.version, blocked = excluded.blocked
WHERE b.version < excluded.version

-- name: drop_blocked
-- Drop the pending retries of addresses that are blocked now.
UPDATE retries AS r SET state = 'dropped', due = NULL
FROM unnest($1::text[], $2::text[]) AS d (tenant, address)
JOIN blocks AS b USING (tenant, address)
WHERE b.blocked AND r.tenant = d.tenant AND r.address = d.address AND r.state IN ('waiting', 'requested')

-- name: erase
-- Remove all that is kept by address.
WITH gone AS (
    SELECT * FROM unnest($1::text[], $2::text[]) AS d (tenant, address)
), unblocked AS (
    DELETE FROM blocks AS b USING gone AS g WHERE b.tenant = g.tenant AND b.address = g.address
)
DELETE FROM retries AS r USING gone AS g WHERE r.tenant = g.tenant AND r.address = g.address

-- name: take_due
-- Take due retries, with what may have settled them in the meantime.
SELECT r.recipient, r.tenant, r.mailing, r.written, r.sender, r.cause, r.reason, r.attempt, r.due,
       s.state AS settled, coalesce(b.blocked, false) AS blocked
FROM retries AS r
LEFT JOIN settled AS s ON s.recipient = r.recipient AND s.time >= r.times[cardinality(r.times)]
LEFT JOIN blocks AS b ON b.tenant = r.tenant AND b.address = r.address
WHERE r.state = 'waiting' AND r.due <= $1
ORDER BY r.due LIMIT $2
FOR UPDATE OF r SKIP LOCKED

-- name: end_dispatch
-- Write what became of the retries that were taken.
UPDATE retries AS r SET state = d.state, due = NULL, requested_at = $3
FROM unnest($1::bytea[], $2::text[]) AS d (recipient, state)
WHERE r.recipient = d.recipient

-- name: report_lost
-- Mark the commands that were never answered; each is reported once.
UPDATE retries SET state = 'lost' WHERE state = 'requested' AND requested_at < $1
RETURNING tenant, mailing, sender

-- name: next_due
-- When the next retry is due.
SELECT min(due) FROM retries WHERE state = 'waiting'

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

-- name: purge_retries
-- Forget ended retries from before a time.
DELETE FROM retries WHERE state NOT IN ('waiting', 'requested') AND times[cardinality(times)] < $1
