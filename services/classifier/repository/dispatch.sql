-- name: take_due
-- Lock pending retries that are due, with what may have ended them in the meantime.
SELECT r.recipient, r.tenant, r.mailing, r.written AS address, r.sender, r.reason, r.attempt, r.due, r.contact,
       r.domain, s.state AS outcome, coalesce(b.blocked, false) AS blocked, e.key IS NOT NULL AS erased,
       r.times[cardinality(r.times)] < $2 AS forgotten
FROM retries AS r
LEFT JOIN outcomes AS s ON s.recipient = r.recipient AND s.time >= r.times[cardinality(r.times)]
LEFT JOIN blocks AS b ON b.tenant = r.tenant AND b.address = r.address
LEFT JOIN erased_addresses AS e ON e.key = erased_key(r.tenant, r.address) AND e.erased_at >= r.times[cardinality(r.times)]
WHERE r.due <= $1
ORDER BY r.due LIMIT $3
FOR UPDATE OF r SKIP LOCKED

-- name: hold_paused
-- The mailings of these that are paused, and stay so until the transaction ends.
SELECT p.tenant, p.mailing FROM paused_mailings AS p JOIN unnest($1::text[], $2::text[]) AS k (tenant, mailing) USING (tenant, mailing)
WHERE p.paused ORDER BY p.tenant, p.mailing FOR SHARE OF p

-- name: lock_domain_counts
-- Lock receiving domains, and return what each was sent in a minute.
INSERT INTO domain_sends AS p (tenant, domain, minute, issued)
SELECT n.tenant, n.domain, $3, 0 FROM unnest($1::text[], $2::text[]) AS n (tenant, domain)
ON CONFLICT (tenant, domain, minute) DO UPDATE SET issued = p.issued
RETURNING tenant, domain, issued

-- name: add_domain_counts
-- Add what locked receiving domains are sent now.
UPDATE domain_sends AS p SET issued = p.issued + n.issued
FROM unnest($1::text[], $2::text[], $3::integer[]) AS n (tenant, domain, issued)
WHERE p.tenant = n.tenant AND p.domain = n.domain AND p.minute = $4

-- name: postpone
-- New due times of locked retries.
UPDATE retries AS r SET due = n.due FROM unnest($1::bytea[], $2::timestamptz[]) AS n (recipient, due)
WHERE r.recipient = n.recipient

-- name: end_dispatch
-- New states of locked retries.
UPDATE retries AS r
SET state = d.state, due = NULL, paused_due = CASE WHEN d.state = 'paused' THEN r.due END,
    requested_at = CASE WHEN d.state = 'requested' THEN $3 ELSE r.requested_at END
FROM unnest($1::bytea[], $2::text[]) AS d (recipient, state)
WHERE r.recipient = d.recipient

-- name: remove
-- Remove retries.
DELETE FROM retries WHERE recipient = ANY($1::bytea[])

-- name: mark_lost
-- Mark commands that were never answered; each is reported once. The sender skips a blocked address, so no answer is
-- expected there.
WITH ended AS (
    UPDATE retries AS r SET state = CASE WHEN EXISTS (
        SELECT FROM blocks AS b WHERE b.tenant = r.tenant AND b.address = r.address AND b.blocked
    ) THEN 'dropped' ELSE 'lost' END
    WHERE r.state = 'requested' AND r.requested_at < $1
    RETURNING tenant, mailing, sender, state
)
SELECT tenant, mailing, sender FROM ended WHERE state = 'lost'

-- name: purge_domain_counts
-- Delete counts of minutes before a time.
DELETE FROM domain_sends WHERE minute < $1
