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
