-- name: address
-- The block state of an address, its last return, its last delivery, and whether it complained or unsubscribed.
SELECT coalesce(r.written, $2) AS written, coalesce(s.blocked, false) AS blocked,
       CASE WHEN s.blocked THEN s.cause END AS cause, CASE WHEN s.blocked THEN s.reason END AS block_reason,
       CASE WHEN s.blocked THEN s.return_count END AS return_count, CASE WHEN s.blocked THEN s.since END AS blocked_since,
       r.mailing, r.status, r.reason, r.reply_code, r.enhanced_status, r.diagnostic, r.rule, r.returned_at,
       l.last_delivered, coalesce(l.complained, false) AS complained, coalesce(l.unsubscribed, false) AS unsubscribed
FROM (SELECT) AS one
LEFT JOIN address_states AS s ON s.tenant = $1 AND s.address = $2
LEFT JOIN LATERAL (
    SELECT n.* FROM recipients AS n WHERE n.tenant = $1 AND n.address = $2 AND n.returned_at IS NOT NULL
    ORDER BY n.returned_at DESC LIMIT 1) AS r ON true
LEFT JOIN LATERAL (
    SELECT max(n.delivered_at) AS last_delivered, bool_or(n.complained_at IS NOT NULL) AS complained,
           bool_or(n.unsubscribed_at IS NOT NULL) AS unsubscribed
    FROM recipients AS n WHERE n.tenant = $1 AND n.address = $2) AS l ON true

-- name: contacts_of
-- The contacts that have an address, those who are there first.
SELECT c.contact, c.name, c.company, c.former_employee, a.written
FROM contact_addresses AS a JOIN contacts AS c USING (tenant, contact)
WHERE a.tenant = $1 AND a.address = $2 ORDER BY c.former_employee, a.rank, c.contact LIMIT 100

-- name: corrections
-- What an address was corrected to, or corrected from, newest first.
SELECT old = $2 AS away, CASE WHEN old = $2 THEN new_written ELSE old_written END AS address, time, by
FROM address_corrections WHERE tenant = $1 AND (old = $2 OR new = $2) ORDER BY time DESC LIMIT 20
