-- Statements over two schemas, {live} and {new}. The search path has the new one, but for `take_...`, which have the live one. Keys that are null
-- mean all addresses.

-- name: prepare
-- What is noted of the comparison.
CREATE UNLOGGED TABLE differences (
    tenant text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    of text NOT NULL,                               -- the table
    id uuid,                                        -- of a row of the history
    kind text NOT NULL,                             -- missing: live has none; extra: only live has it; different
    fields text[] NOT NULL
);
CREATE INDEX differences_address ON differences (tenant, address)

-- name: forget_settings
-- What tenants had set, and their storms: they are copied anew.
WITH gone AS (DELETE FROM settings RETURNING 1), ended AS (DELETE FROM storms RETURNING 1)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM ended)

-- name: insert_settings
INSERT INTO settings ({settings}) SELECT {settings} FROM {live}.settings

-- name: insert_storms
INSERT INTO storms ({storms}) SELECT {storms} FROM {live}.storms

-- name: copy_addresses
-- Of each address what commands have said of it, and its last delivery if that is older than the archive.
INSERT INTO addresses AS a (tenant, address, last_delivered, {commands})
SELECT tenant, address, CASE WHEN last_delivered < $1 THEN last_delivered END, {commands} FROM {live}.addresses
WHERE $2::text[] IS NULL OR (tenant, address) IN (SELECT * FROM unnest($2, $3::text[]))
ON CONFLICT (tenant, address) DO UPDATE
SET last_delivered = greatest(a.last_delivered, excluded.last_delivered), {set_commands}

-- name: forget_history
-- What commands have put into the history, and may have taken out of it since.
DELETE FROM history
WHERE rule IN ('by-hand', 'import') AND ($1::text[] IS NULL OR (tenant, address) IN (SELECT * FROM unnest($1, $2::text[])))

-- name: copy_history
-- The history that no event of the archive tells of: older than the archive, or of a command.
INSERT INTO history ({history}) SELECT {history} FROM {live}.history
WHERE (time < $1 OR rule IN ('by-hand', 'import'))
  AND ($2::text[] IS NULL OR (tenant, address) IN (SELECT * FROM unnest($2, $3::text[])))
ON CONFLICT (tenant, address, id) DO NOTHING

-- name: forget_subscriptions
DELETE FROM subscriptions WHERE $1::text[] IS NULL OR (tenant, address) IN (SELECT * FROM unnest($1, $2::text[]))

-- name: copy_subscriptions
INSERT INTO subscriptions ({subscriptions}) SELECT {subscriptions} FROM {live}.subscriptions
WHERE $1::text[] IS NULL OR (tenant, address) IN (SELECT * FROM unnest($1, $2::text[]))

-- name: erase_history
-- What happened before an erasure, which the live schema knows or the archive tells.
DELETE FROM history AS h
WHERE EXISTS (SELECT FROM {live}.erased_addresses AS e WHERE e.key = {live}.erased_key(h.tenant, h.address) AND e.erased_at >= h.time)
   OR EXISTS (SELECT FROM erased_addresses AS e WHERE e.key = erased_key(h.tenant, h.address) AND e.erased_at >= h.time)

-- name: erase_deliveries
UPDATE addresses AS a SET last_delivered = NULL
WHERE EXISTS (SELECT FROM {live}.erased_addresses AS e
              WHERE e.key = {live}.erased_key(a.tenant, a.address) AND e.erased_at >= a.last_delivered)
   OR EXISTS (SELECT FROM erased_addresses AS e WHERE e.key = erased_key(a.tenant, a.address) AND e.erased_at >= a.last_delivered)

-- name: erase_addresses
-- Addresses that were erased, and of which nothing has been heard since.
DELETE FROM addresses AS a
WHERE (EXISTS (SELECT FROM {live}.erased_addresses AS e WHERE e.key = {live}.erased_key(a.tenant, a.address))
       OR EXISTS (SELECT FROM erased_addresses AS e WHERE e.key = erased_key(a.tenant, a.address)))
  AND last_delivered IS NULL AND NOT EXISTS (SELECT FROM {live}.addresses AS l WHERE (l.tenant, l.address) = (a.tenant, a.address))
  AND NOT EXISTS (SELECT FROM history AS h WHERE (h.tenant, h.address) = (a.tenant, a.address))

-- name: next_addresses
-- The next addresses in the order of their keys.
SELECT tenant, address FROM addresses WHERE (tenant, address) > ($1, $2) ORDER BY tenant, address LIMIT $3

-- name: compare_addresses
-- Rows of addresses that are not the same; the version counts changes, and is another one.
INSERT INTO differences
SELECT coalesce(l.tenant, r.tenant), coalesce(l.address, r.address), 'addresses', NULL,
       CASE WHEN l.tenant IS NULL THEN 'missing' WHEN r.tenant IS NULL THEN 'extra' ELSE 'different' END,
       ARRAY(SELECT f FROM unnest($3::text[]) AS f
             WHERE l.tenant IS NOT NULL AND r.tenant IS NOT NULL AND to_jsonb(l) -> f IS DISTINCT FROM to_jsonb(r) -> f)
FROM (SELECT * FROM {live}.addresses WHERE $1::text[] IS NULL OR (tenant, address) IN (SELECT * FROM unnest($1, $2::text[]))) AS l
FULL JOIN (SELECT * FROM addresses WHERE $1::text[] IS NULL OR (tenant, address) IN (SELECT * FROM unnest($1, $2::text[]))) AS r
    ON (l.tenant, l.address) = (r.tenant, r.address)
WHERE ({live_addresses}) IS DISTINCT FROM ({new_addresses})

-- name: compare_history
-- Rows of the history that are not the same.
INSERT INTO differences
SELECT coalesce(l.tenant, r.tenant), coalesce(l.address, r.address), 'history', coalesce(l.id, r.id),
       CASE WHEN l.id IS NULL THEN 'missing' WHEN r.id IS NULL THEN 'extra' ELSE 'different' END,
       ARRAY(SELECT f FROM unnest($3::text[]) AS f
             WHERE l.tenant IS NOT NULL AND r.tenant IS NOT NULL AND to_jsonb(l) -> f IS DISTINCT FROM to_jsonb(r) -> f)
FROM (SELECT * FROM {live}.history WHERE $1::text[] IS NULL OR (tenant, address) IN (SELECT * FROM unnest($1, $2::text[]))) AS l
FULL JOIN (SELECT * FROM history WHERE $1::text[] IS NULL OR (tenant, address) IN (SELECT * FROM unnest($1, $2::text[]))) AS r
    ON (l.tenant, l.address, l.id) = (r.tenant, r.address, r.id)
WHERE ({live_history}) IS DISTINCT FROM ({new_history})

-- name: differing
-- The addresses with differences.
SELECT DISTINCT tenant, address FROM differences ORDER BY tenant, address

-- name: clear_differences
DELETE FROM differences

-- name: counts
-- How many rows of each table were compared.
SELECT (SELECT count(*) FROM addresses) AS addresses, (SELECT count(*) FROM history) AS history

-- name: summary
-- How many differences there are of each kind.
SELECT of, kind, fields, count(*) AS number FROM differences GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2 LIMIT 100

-- name: sample
-- Some of the differences.
SELECT tenant, address, of, id, kind, fields FROM differences ORDER BY tenant, address, of, id LIMIT $1

-- name: take_extra
-- Remove from the live history of locked addresses what no event tells.
DELETE FROM {live}.history AS h USING {new}.differences AS d, unnest($1::text[], $2::text[]) AS k (tenant, address)
WHERE (d.tenant, d.address) = (k.tenant, k.address) AND d.of = 'history' AND d.kind = 'extra'
  AND (h.tenant, h.address, h.id) = (d.tenant, d.address, d.id)

-- name: take_history
-- Write into the live history of locked addresses what is missing there or different, and has not been erased since.
INSERT INTO {live}.history ({history})
SELECT {r_history} FROM {new}.history AS r
JOIN {new}.differences AS d ON (d.tenant, d.address, d.id) = (r.tenant, r.address, r.id) AND d.of = 'history' AND d.kind <> 'extra'
WHERE (d.tenant, d.address) IN (SELECT * FROM unnest($1::text[], $2::text[]))
  AND NOT EXISTS (SELECT FROM {live}.erased_addresses AS e
                  WHERE e.key = {live}.erased_key(r.tenant, r.address) AND e.erased_at >= r.time)
ON CONFLICT (tenant, address, id) DO UPDATE SET {set_history}

-- name: take_deliveries
-- Write the last delivery of locked addresses, unless there was one since the comparison.
UPDATE {live}.addresses AS a SET last_delivered = r.last_delivered
FROM {new}.addresses AS r, {new}.differences AS d, unnest($1::text[], $2::text[]) AS k (tenant, address)
WHERE (d.tenant, d.address) = (k.tenant, k.address) AND d.of = 'addresses' AND (r.tenant, r.address) = (k.tenant, k.address)
  AND (a.tenant, a.address) = (k.tenant, k.address)
  AND a.last_delivered IS DISTINCT FROM r.last_delivered AND (a.last_delivered IS NULL OR a.last_delivered < $3)
  AND NOT EXISTS (SELECT FROM {live}.erased_addresses AS e
                  WHERE e.key = {live}.erased_key(r.tenant, r.address) AND e.erased_at >= r.last_delivered)
