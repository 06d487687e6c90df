-- name: record_verdicts
-- Keep the verdict of each bounce once.
INSERT INTO verdicts (id, tenant, mailing, type, reason, fault, rule, time, template)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
                     $9::bytea[])
ON CONFLICT (id) DO NOTHING

-- name: record_templates
-- Keep the text of each template, and the day on which it was last seen.
INSERT INTO templates AS t (tenant, template, text, seen)
SELECT n.tenant, n.template, n.text, current_date FROM unnest($1::text[], $2::bytea[], $3::text[]) AS n (tenant, template, text)
ON CONFLICT (tenant, template) DO UPDATE SET seen = excluded.seen WHERE t.seen < excluded.seen

-- name: merge_soft_bounces
-- Add the times of soft bounces to their recipients; what has ended stays ended for now. Returns all that is known;
-- of recipients that were erased since, nothing is kept.
INSERT INTO retries AS r (recipient, tenant, mailing, address, written, sender, cause, reason, times, contact, state)
SELECT n.recipient, n.tenant, n.mailing, n.address, n.written, n.sender, n.cause, n.reason, ARRAY[n.time],
       nullif(n.contact, ''), 'waiting'
FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::text[],
            $9::timestamptz[], $10::text[])
     AS n (recipient, tenant, mailing, address, written, sender, cause, reason, time, contact)
WHERE NOT EXISTS (SELECT FROM erased AS e WHERE e.place = place(n.tenant, n.address) AND e.time >= n.time)
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
SELECT r.recipient, r.tenant, r.mailing, r.written, r.sender, r.cause, r.reason, r.attempt, r.due, r.contact,
       r.domain, s.state AS settled, coalesce(b.blocked, false) AS blocked, e.place IS NOT NULL AS erased,
       r.times[cardinality(r.times)] < $2 AS forgotten
FROM retries AS r
LEFT JOIN settled AS s ON s.recipient = r.recipient AND s.time >= r.times[cardinality(r.times)]
LEFT JOIN blocks AS b ON b.tenant = r.tenant AND b.address = r.address
LEFT JOIN erased AS e ON e.place = place(r.tenant, r.address) AND e.time >= r.times[cardinality(r.times)]
WHERE r.due <= $1
ORDER BY r.due LIMIT $3
FOR UPDATE OF r SKIP LOCKED

-- name: hold_pace
-- Take receiving domains in hand, and tell what they have had in a minute.
INSERT INTO pace AS p (tenant, domain, minute, issued)
SELECT n.tenant, n.domain, $3, 0 FROM unnest($1::text[], $2::text[]) AS n (tenant, domain)
ON CONFLICT (tenant, domain, minute) DO UPDATE SET issued = p.issued
RETURNING tenant, domain, issued

-- name: keep_pace
-- Add what receiving domains in hand get now.
UPDATE pace AS p SET issued = p.issued + n.issued
FROM unnest($1::text[], $2::text[], $3::integer[]) AS n (tenant, domain, issued)
WHERE p.tenant = n.tenant AND p.domain = n.domain AND p.minute = $4

-- name: postpone
-- Retries that were taken and have to wait.
UPDATE retries AS r SET due = n.due FROM unnest($1::bytea[], $2::timestamptz[]) AS n (recipient, due)
WHERE r.recipient = n.recipient

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
-- Retries of a tenant (and a mailing) by state. What is pending is as it would be decided if it were due now: a block
-- and a bounce that were taken at the same time have not seen each other.
SELECT told.state, count(*) AS count, sum(cardinality(r.times)) AS soft_bounces FROM retries AS r
LEFT JOIN settled AS s ON r.due IS NOT NULL AND s.recipient = r.recipient AND s.time >= r.times[cardinality(r.times)]
LEFT JOIN blocks AS b ON r.due IS NOT NULL AND b.tenant = r.tenant AND b.address = r.address
CROSS JOIN LATERAL (SELECT CASE WHEN r.due IS NULL THEN r.state WHEN s.state IS NOT NULL THEN s.state
                                WHEN b.blocked THEN 'dropped' ELSE 'waiting' END) AS told (state)
WHERE r.tenant = $1 AND ($2::text IS NULL OR r.mailing = $2) GROUP BY told.state ORDER BY told.state

-- name: list_retries
-- A page of retries in one state, told as they are counted.
SELECT r.recipient, r.mailing, r.written AS address, r.sender, r.reason, cardinality(r.times) AS soft_bounces, told.state,
       r.due, r.requested_at
FROM retries AS r
LEFT JOIN settled AS s ON r.due IS NOT NULL AND s.recipient = r.recipient AND s.time >= r.times[cardinality(r.times)]
LEFT JOIN blocks AS b ON r.due IS NOT NULL AND b.tenant = r.tenant AND b.address = r.address
CROSS JOIN LATERAL (SELECT CASE WHEN r.due IS NULL THEN r.state WHEN s.state IS NOT NULL THEN s.state
                                WHEN b.blocked THEN 'dropped' ELSE 'waiting' END) AS told (state)
WHERE r.tenant = $1 AND told.state = $2 AND ($3::bytea IS NULL OR r.recipient > $3) ORDER BY r.recipient LIMIT $4

-- name: purge_verdicts
-- Forget verdicts from before a time.
DELETE FROM verdicts WHERE time < $1

-- name: purge_settled
-- Forget deliveries from before a time.
DELETE FROM settled WHERE time < $1

-- name: purge_erased
-- Forget erasures from before a time.
DELETE FROM erased WHERE time < $1

-- name: purge_templates
-- Forget templates that no verdict can have any more.
DELETE FROM templates WHERE seen < $1::timestamptz::date - 1

-- name: purge_pace
-- Forget minutes from before a time.
DELETE FROM pace WHERE minute < $1

-- name: purge_retries
-- Forget ended retries from before a time.
DELETE FROM retries WHERE state NOT IN ('waiting', 'requested') AND times[cardinality(times)] < $1

-- name: retry_settings
-- The schedules of these tenants, of those that have any.
SELECT tenant, version, schedule::text, changed_at, changed_by FROM retry_settings WHERE tenant = ANY ($1::text[])

-- name: save_retry_settings
-- Write a tenant's schedule over a version of it; nothing when that is not the one that is there.
INSERT INTO retry_settings AS s (tenant, version, schedule, changed_at, changed_by)
SELECT $1, 1, $3::jsonb, $4, $5
WHERE $2 = coalesce((SELECT o.version FROM retry_settings AS o WHERE o.tenant = $1), 0)
ON CONFLICT (tenant) DO UPDATE
SET version = s.version + 1, schedule = excluded.schedule, changed_at = excluded.changed_at,
    changed_by = excluded.changed_by
WHERE s.version = $2
RETURNING version

-- name: count_chosen
-- How many retries an operator's choice has: what could be dropped, hurried at a moment, or resumed.
SELECT count(*) FROM retries AS r
LEFT JOIN settled AS s ON s.recipient = r.recipient AND s.time >= r.times[cardinality(r.times)]
LEFT JOIN blocks AS b ON b.tenant = r.tenant AND b.address = r.address
WHERE r.tenant = $1
  AND CASE $2 WHEN 'drop' THEN r.due IS NOT NULL AND s.state IS NULL AND b.blocked IS NOT TRUE
              WHEN 'hurry' THEN r.due > $3 AND s.state IS NULL AND b.blocked IS NOT TRUE
              WHEN 'resume' THEN r.kept_due IS NOT NULL END
  AND ($4::bytea[] IS NULL OR r.recipient = ANY ($4)) AND ($5::text IS NULL OR r.mailing = $5)
  AND ($6::text IS NULL OR r.domain = $6) AND ($7::text IS NULL OR r.reason = $7) AND ($8::text IS NULL OR r.sender = $8)

-- name: choose
-- The next retries of an operator's choice, taken in hand.
SELECT r.recipient FROM retries AS r
LEFT JOIN settled AS s ON s.recipient = r.recipient AND s.time >= r.times[cardinality(r.times)]
LEFT JOIN blocks AS b ON b.tenant = r.tenant AND b.address = r.address
WHERE r.tenant = $1
  AND CASE $2 WHEN 'drop' THEN r.due IS NOT NULL AND s.state IS NULL AND b.blocked IS NOT TRUE
              WHEN 'hurry' THEN r.due > $3 AND s.state IS NULL AND b.blocked IS NOT TRUE
              WHEN 'resume' THEN r.kept_due IS NOT NULL END
  AND ($4::bytea[] IS NULL OR r.recipient = ANY ($4)) AND ($5::text IS NULL OR r.mailing = $5)
  AND ($6::text IS NULL OR r.domain = $6) AND ($7::text IS NULL OR r.reason = $7) AND ($8::text IS NULL OR r.sender = $8)
ORDER BY r.recipient LIMIT $9 FOR UPDATE OF r

-- name: drop
-- Drop retries in hand; when they were due is kept.
UPDATE retries SET state = 'dropped', kept_due = due, due = NULL WHERE recipient = ANY ($1::bytea[])

-- name: hurry
-- Have retries in hand be due at a moment.
UPDATE retries SET due = $2 WHERE recipient = ANY ($1::bytea[])

-- name: resume
-- Have retries in hand wait again, but for those of which something was heard since they were dropped.
UPDATE retries SET
    state = CASE WHEN state = 'dropped' AND due IS NULL THEN 'waiting' ELSE state END,
    due = CASE WHEN state = 'dropped' AND due IS NULL THEN kept_due ELSE due END,
    kept_due = NULL
WHERE recipient = ANY ($1::bytea[])

-- name: add_intervention
-- Who did what with pending retries.
INSERT INTO interventions (tenant, time, who, what, selection, how_many) VALUES ($1, $2, $3, $4, $5::jsonb, $6)

-- name: list_interventions
-- What was done with pending retries, newest first.
SELECT id, time, who, what, selection::text, how_many FROM interventions
WHERE tenant = $1 AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3

-- name: list_unknown
-- What no rule knew, by template, most first.
SELECT t.template, t.text, v.bounces, v.mailings, v.first_seen, v.last_seen, v.reasons
FROM (
    SELECT template, count(*) AS bounces, count(DISTINCT mailing) AS mailings, min(time) AS first_seen,
           max(time) AS last_seen, array_agg(DISTINCT reason ORDER BY reason) AS reasons
    FROM verdicts
    WHERE tenant = $1 AND template IS NOT NULL AND time >= $2 AND (NOT $3 OR reason = 'undetermined')
    GROUP BY template ORDER BY bounces DESC, template LIMIT $4
) AS v JOIN templates AS t ON t.tenant = $1 AND t.template = v.template
ORDER BY v.bounces DESC, t.template
