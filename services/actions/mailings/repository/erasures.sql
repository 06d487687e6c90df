-- name: lock_erasures_shared
-- Make erasures wait until this transaction ends: they would not see the addresses that it writes.
SELECT pg_advisory_xact_lock_shared(hashtextextended('returpost actions erasures', 0))

-- name: lock_erasures
-- Wait for the transactions that write addresses, and make new ones wait.
SELECT pg_advisory_xact_lock(hashtextextended('returpost actions erasures', 0))

-- name: any_erasures
-- Whether anything was ever erased.
SELECT EXISTS (SELECT FROM erased_addresses)

-- name: erased_at
-- When each of these addresses was erased, of those that were.
SELECT k.tenant, k.address, e.erased_at
FROM unnest($1::text[], $2::text[]) AS k (tenant, address)
JOIN erased_addresses AS e ON e.key = erased_key(k.tenant, k.address)

-- name: record_erasures
-- When addresses were erased, by the keyed hash of each.
INSERT INTO erased_addresses AS e (key, erased_at)
SELECT erased_key(k.tenant, k.address), k.erased_at
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS k (tenant, address, erased_at)
ON CONFLICT (key) DO UPDATE SET erased_at = excluded.erased_at WHERE e.erased_at < excluded.erased_at

-- name: named_by_address
-- Owners of these addresses in whose name or company one of them stands, locked.
SELECT c.tenant, c.contact, c.name, c.company, c.external_id FROM contacts AS c
WHERE EXISTS (
    SELECT FROM unnest($1::text[], $2::text[]) AS g (tenant, address) JOIN contact_addresses AS a USING (tenant, address)
    WHERE a.tenant = c.tenant AND a.contact = c.contact AND strpos(lower(concat_ws(' ', c.name, c.company)), g.address) > 0)
ORDER BY c.tenant, c.contact FOR UPDATE

-- name: rename
-- What contacts are called from now on; `words` has the words of each, by spaces.
UPDATE contacts AS c SET name = n.name, company = n.company, name_key = n.name_key, company_key = n.company_key,
    words = array_to_tsvector(string_to_array(n.words, ' '))
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
     AS n (tenant, contact, name, company, name_key, company_key, words)
WHERE c.tenant = n.tenant AND c.contact = n.contact

-- name: erase
-- Remove addresses from everything that is kept by address; what they counted in is counted again.
WITH gone AS (SELECT * FROM unnest($1::text[], $2::text[]) AS g (tenant, address)),
events AS (DELETE FROM address_events AS e USING gone AS g WHERE e.tenant = g.tenant AND e.address = g.address),
states AS (DELETE FROM address_states AS s USING gone AS g WHERE s.tenant = g.tenant AND s.address = g.address),
former AS (DELETE FROM former_addresses AS f USING gone AS g WHERE f.tenant = g.tenant AND f.address = g.address),
owned AS (DELETE FROM contact_addresses AS c USING gone AS g WHERE c.tenant = g.tenant AND c.address = g.address),
corrected AS (DELETE FROM address_corrections AS c USING gone AS g
              WHERE c.tenant = g.tenant AND (c.old = g.address OR c.new = g.address)),
mailed AS (DELETE FROM recipients AS r USING gone AS g WHERE r.tenant = g.tenant AND r.address = g.address
           RETURNING r.tenant, r.mailing),
blocked AS (SELECT DISTINCT e.tenant, (e.time AT TIME ZONE 'UTC')::date::text AS day
            FROM address_events AS e JOIN gone AS g USING (tenant, address))
INSERT INTO statistics_due (tenant, counted, name)
SELECT DISTINCT m.tenant, c.counted, m.mailing FROM mailed AS m CROSS JOIN (VALUES ('mailing'), ('signals')) AS c (counted)
UNION ALL SELECT tenant, 'blocks', day FROM blocked
ON CONFLICT DO NOTHING
