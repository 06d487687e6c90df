-- name: block
-- Block these domains; one that is blocked already is from now on by whom, why and until when it is said now.
INSERT INTO domain_blocks AS d (tenant, domain, since, until, by, note, version)
SELECT $1, k.domain, $3, $4, $5, $6, $7 FROM unnest($2::text[]) AS k (domain)
ON CONFLICT (tenant, domain) WHERE lifted_at IS NULL
DO UPDATE SET until = excluded.until, by = excluded.by, note = excluded.note, version = excluded.version
RETURNING domain, since

-- name: lift
-- Lift the blocks of these domains; returns those that there were.
UPDATE domain_blocks SET lifted_at = $3, lifted_by = $4, lift_note = $5, lift_cause = $6, version = $7
WHERE tenant = $1 AND domain = ANY ($2::text[]) AND lifted_at IS NULL
RETURNING domain

-- name: note_changed
-- Keep that the last version that a tenant was given tells of domains.
UPDATE last_versions SET domains = version WHERE tenant = $1

-- name: ended
-- Domains of which the block has ended, those of one tenant after the other.
SELECT tenant, domain FROM domain_blocks
WHERE lifted_at IS NULL AND until <= $1 ORDER BY tenant, domain LIMIT $2

-- name: count
-- How many blocks of domains a tenant has.
SELECT count(*) FROM domain_blocks WHERE tenant = $1 AND lifted_at IS NULL

-- name: in_force
-- All blocks of a tenant's domains, and the version at which they last changed.
SELECT d.domain, d.since, d.until, d.version FROM domain_blocks AS d WHERE d.tenant = $1 AND d.lifted_at IS NULL

-- name: changed
-- The version at which a tenant's blocks of domains last changed.
SELECT domains FROM last_versions WHERE tenant = $1

-- name: page
-- A page of the blocks in force, by domain.
SELECT domain, since, until, by, note, version FROM domain_blocks
WHERE tenant = $1 AND lifted_at IS NULL AND domain > $2 ORDER BY domain LIMIT $3

-- name: closest
-- The block that holds for a domain, of whose patterns the closest comes first.
SELECT d.domain, d.since, d.until, d.by, d.note
FROM unnest($2::text[]) WITH ORDINALITY AS k (pattern, n)
JOIN domain_blocks AS d ON d.tenant = $1 AND d.domain = k.pattern AND d.lifted_at IS NULL
WHERE d.until IS NULL OR d.until > $3
ORDER BY k.n LIMIT 1

-- name: past
-- All that became of the blocks of these patterns, newest first.
SELECT domain, since, until, by, note, lifted_at, lifted_by, lift_note, lift_cause FROM domain_blocks
WHERE tenant = $1 AND domain = ANY ($2::text[]) ORDER BY since DESC, domain LIMIT $3
