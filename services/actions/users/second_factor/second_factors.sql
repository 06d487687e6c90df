-- name: find
-- The second factor of a user, and how many recovery codes are left.
SELECT f.secret, f.confirmed_at, f.last_step,
       (SELECT count(*) FROM recovery_codes AS r WHERE r.name = f.name) AS recovery_codes
FROM second_factors AS f WHERE f.name = $1

-- name: begin
-- A new secret, unless one is in use.
INSERT INTO second_factors AS f (name, secret) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET secret = excluded.secret, last_step = 0 WHERE f.confirmed_at IS NULL RETURNING name

-- name: confirm
-- The secret is in use from now on, unless it was replaced meanwhile.
UPDATE second_factors SET confirmed_at = $3, last_step = $4
WHERE name = $1 AND secret = $2 AND confirmed_at IS NULL RETURNING name

-- name: add_recovery_codes
-- New recovery codes.
INSERT INTO recovery_codes (name, hash) SELECT $1, unnest($2::bytea[])

-- name: take_step
-- Take the code of a step, once.
UPDATE second_factors SET last_step = $2, secret = $3
WHERE name = $1 AND last_step < $2 AND confirmed_at IS NOT NULL RETURNING name

-- name: take_recovery_code
-- Take a recovery code, once.
DELETE FROM recovery_codes WHERE name = $1 AND hash = $2 RETURNING name

-- name: remove
-- No second factor any more, of a user of a tenant or of any.
DELETE FROM second_factors AS f USING users AS u
WHERE f.name = $1 AND u.name = f.name AND ($2::text IS NULL OR u.tenant = $2) AND f.confirmed_at IS NOT NULL
RETURNING f.name
