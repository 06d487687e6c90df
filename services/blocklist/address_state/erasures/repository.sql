-- name: remember
-- Remember when each of these addresses was erased, by its hash.
INSERT INTO erased AS e (place, time)
SELECT place(k.tenant, k.address), max(k.time)
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS k (tenant, address, time)
GROUP BY 1
ON CONFLICT (place) DO UPDATE SET time = greatest(e.time, excluded.time)

-- name: any
-- Whether anything was ever erased.
SELECT EXISTS (SELECT FROM erased)

-- name: gone
-- Which of these happened to an address that was erased since, by their number from 0 on.
SELECT k.n - 1 AS n
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) WITH ORDINALITY AS k (tenant, address, time, n)
JOIN erased AS e ON e.place = place(k.tenant, k.address) AND e.time >= k.time

-- name: wait
-- Have these addresses erased when it is time; who waits already is erased as was said first. Returns when each is due.
INSERT INTO waiting_erasures AS e (tenant, address, time, by, due)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::timestamptz[])
ON CONFLICT (tenant, address) DO UPDATE SET due = least(e.due, excluded.due)
RETURNING due

-- name: take_due
-- Take the next erasures whose time has come in hand, of those that no other process has.
SELECT tenant, address, time, by FROM waiting_erasures WHERE due <= $1 ORDER BY due LIMIT $2 FOR UPDATE SKIP LOCKED

-- name: leave
-- Have these addresses wait no longer, and return them. Rows are locked in the order of their keys.
DELETE FROM waiting_erasures AS e USING (
    SELECT w.tenant, w.address FROM unnest($1::text[], $2::text[]) AS k (tenant, address)
    JOIN waiting_erasures AS w ON w.tenant = k.tenant AND w.address = k.address
    ORDER BY w.tenant, w.address FOR UPDATE OF w
) AS w
WHERE e.tenant = w.tenant AND e.address = w.address
RETURNING e.address

-- name: waiting
-- A page of the erasures of a tenant that wait, the next that is due first.
SELECT address, time, by, due FROM waiting_erasures
WHERE tenant = $1 AND ($2::timestamptz IS NULL OR (due, address) > ($2, $3::text))
ORDER BY due, address LIMIT $4
