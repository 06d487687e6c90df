-- name: set_former
-- Keep when the last owner of these locked addresses was said to have left.
INSERT INTO addresses AS a (tenant, address, former_at, former_by, former_note)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[])
ON CONFLICT (tenant, address) DO UPDATE
SET former_at = excluded.former_at, former_by = excluded.former_by, former_note = excluded.former_note
WHERE a.former_at IS NULL
   OR (a.former_at, a.former_by, a.former_note) < (excluded.former_at, excluded.former_by, excluded.former_note)

-- name: lift_former
-- Keep when an owner of these locked addresses was set back.
INSERT INTO addresses AS a (tenant, address, former_lifted_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[])
ON CONFLICT (tenant, address) DO UPDATE SET former_lifted_at = excluded.former_lifted_at
WHERE a.former_lifted_at IS NULL OR a.former_lifted_at < excluded.former_lifted_at

-- name: subscribe
-- Keep the last subscription of locked addresses to each stream; '' stands for all.
INSERT INTO subscriptions AS s (tenant, address, stream, time, by, note)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[])
ON CONFLICT (tenant, address, stream) DO UPDATE SET time = excluded.time, by = excluded.by, note = excluded.note
WHERE (s.time, s.by, s.note) < (excluded.time, excluded.by, excluded.note)

-- name: subscriptions
-- The subscriptions of these addresses.
SELECT s.*
FROM unnest($1::text[], $2::text[]) AS k (tenant, address)
CROSS JOIN LATERAL (
    SELECT s.tenant, s.address, s.stream, s.time FROM subscriptions AS s
    WHERE s.tenant = k.tenant AND s.address = k.address OFFSET 0
) AS s

-- name: erase
-- Remove the subscriptions of these addresses.
DELETE FROM subscriptions AS s USING unnest($1::text[], $2::text[]) AS k (tenant, address)
WHERE s.tenant = k.tenant AND s.address = k.address

-- name: next_version
-- A version above all that were given to the tenant's addresses, and of the time $2 in microseconds or later.
UPDATE last_versions SET version = greatest(version + 1, $2::bigint) WHERE tenant = $1 RETURNING version

-- name: first_version
-- The same of a tenant that was given none since this is kept.
INSERT INTO last_versions AS l (tenant, version)
SELECT $1, greatest($2::bigint, (SELECT max(a.version) + 1 FROM addresses AS a WHERE a.tenant = $1 AND a.version > 0))
ON CONFLICT (tenant) DO UPDATE SET version = greatest(l.version + 1, excluded.version)
RETURNING version

-- name: note_erased
-- Keep that the last version that these tenants were given tells of an erasure.
UPDATE last_versions SET erased = version WHERE tenant = ANY ($1::text[])
