-- name: schedule
-- Erase these addresses when they are due; one that is scheduled already keeps the earlier time. Returns when each is due.
INSERT INTO scheduled_erasures AS e (tenant, address, time, by, due)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::timestamptz[])
ON CONFLICT (tenant, address) DO UPDATE SET due = least(e.due, excluded.due)
RETURNING due

-- name: take_due
-- Lock the next erasures that are due, of those that no other process has.
SELECT tenant, address, time, by, due FROM scheduled_erasures WHERE due <= $1 ORDER BY due LIMIT $2 FOR UPDATE SKIP LOCKED

-- name: unschedule
-- Forget the scheduled erasures of these addresses, and return them. Rows are locked in the order of their keys.
DELETE FROM scheduled_erasures AS e USING (
    SELECT w.tenant, w.address FROM unnest($1::text[], $2::text[]) AS k (tenant, address)
    JOIN scheduled_erasures AS w ON w.tenant = k.tenant AND w.address = k.address
    ORDER BY w.tenant, w.address FOR UPDATE OF w
) AS w
WHERE e.tenant = w.tenant AND e.address = w.address
RETURNING e.address

-- name: scheduled
-- A page of the scheduled erasures of a tenant, the next that is due first.
SELECT address, time, by, due FROM scheduled_erasures
WHERE tenant = $1 AND ($2::timestamptz IS NULL OR (due, address) > ($2, $3::text))
ORDER BY due, address LIMIT $4
