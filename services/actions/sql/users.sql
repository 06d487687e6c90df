-- name: add_user
-- A new user; nothing when the name is taken.
INSERT INTO users (name, tenant, home, role, password_hash, language, created_at, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING name

-- name: user
-- One user.
SELECT name, tenant, home, role, password_hash, language, disabled, created_at, created_by, failures, failed_at
FROM users WHERE name = $1

-- name: list_users
-- The users of a tenant, or all.
SELECT name, tenant, home, role, language, disabled, created_at, created_by, password_hash IS NOT NULL AS has_password
FROM users WHERE $1::text IS NULL OR tenant = $1 ORDER BY name

-- name: change_user
-- New values of a user; what is null stays.
UPDATE users SET
    role = coalesce($3, role), disabled = coalesce($4, disabled), password_hash = coalesce($5, password_hash),
    language = coalesce($6, language), failures = CASE WHEN $5::text IS NULL THEN failures ELSE 0 END
WHERE name = $1 AND ($2::text IS NULL OR tenant = $2) RETURNING name

-- name: remove_user
-- Remove a user.
DELETE FROM users WHERE name = $1 AND ($2::text IS NULL OR tenant = $2) RETURNING name

-- name: note_failure
-- A wrong password.
UPDATE users SET failures = failures + 1, failed_at = $2 WHERE name = $1

-- name: note_success
-- A right password; a hash made with older parameters is replaced.
UPDATE users SET failures = 0, failed_at = NULL, password_hash = coalesce($2, password_hash) WHERE name = $1

-- name: add_token
-- A token that was given out.
INSERT INTO tokens (id, kind, tenant, name, scopes, issued_by, issued_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: token
-- One token.
SELECT id, kind, tenant, name, scopes, issued_by, issued_at, expires_at, revoked_at, revoked_by FROM tokens WHERE id = $1

-- name: extend_token
-- A session that goes on.
UPDATE tokens SET expires_at = $2, scopes = $3 WHERE id = $1 AND revoked_at IS NULL

-- name: list_tokens
-- Tokens and sessions that are still good, newest first.
SELECT id, kind, tenant, name, scopes, issued_by, issued_at, expires_at FROM tokens
WHERE ($1::text IS NULL OR tenant = $1) AND revoked_at IS NULL AND expires_at > $2
ORDER BY issued_at DESC, id LIMIT 1000

-- name: revoke_token
-- End one token.
UPDATE tokens SET revoked_at = $3, revoked_by = $4
WHERE id = $1 AND ($2::text IS NULL OR tenant = $2) AND revoked_at IS NULL RETURNING id, tenant, expires_at

-- name: revoke_sessions
-- End all sessions of a user.
UPDATE tokens SET revoked_at = $2, revoked_by = $3
WHERE name = $1 AND kind = 'session' AND revoked_at IS NULL AND expires_at > $2 RETURNING id, tenant, expires_at

-- name: still_revoked
-- Tokens that were revoked before their time, and would still be good.
SELECT id, tenant, expires_at FROM tokens WHERE revoked_at IS NOT NULL AND expires_at > $1

-- name: forget_tokens
-- What is over since long.
DELETE FROM tokens WHERE expires_at < $1
