-- name: add_user
-- A new user; nothing when the name is taken.
INSERT INTO users (name, tenant, home, role, password_hash, language, created_at, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING name

-- name: user
-- One user.
SELECT name, tenant, home, role, password_hash, language, disabled
FROM users WHERE name = $1

-- name: page_of_users
-- A page of the users of a tenant, or of all, by name.
SELECT name, tenant, home, role, language, disabled, created_at, created_by, password_hash IS NOT NULL AS has_password,
       EXISTS (SELECT FROM second_factors AS f WHERE f.name = users.name AND f.confirmed_at IS NOT NULL) AS has_second_factor
FROM users WHERE ($1::text IS NULL OR tenant = $1) AND ($2::text IS NULL OR name > $2) ORDER BY name LIMIT $3

-- name: change_user
-- New values of a user; what is null stays.
UPDATE users SET
    role = coalesce($3, role), disabled = coalesce($4, disabled), password_hash = coalesce($5, password_hash),
    language = coalesce($6, language)
WHERE name = $1 AND ($2::text IS NULL OR tenant = $2) RETURNING name

-- name: remove_user
-- Remove a user.
DELETE FROM users WHERE name = $1 AND ($2::text IS NULL OR tenant = $2) RETURNING name

-- name: replace_hash
-- The same password, with newer parameters; unless it was changed meanwhile.
UPDATE users SET password_hash = $3 WHERE name = $1 AND password_hash = $2

-- name: add_token
-- A new token.
INSERT INTO tokens (id, kind, tenant, name, scopes, issued_by, issued_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: token
-- One token.
SELECT id, kind, tenant, name, scopes, issued_by, issued_at, expires_at, revoked_at FROM tokens WHERE id = $1

-- name: extend_token
-- A session is renewed.
UPDATE tokens SET expires_at = $2, scopes = $3 WHERE id = $1 AND revoked_at IS NULL

-- name: page_of_tokens
-- A page of tokens and sessions that are valid, newest first.
SELECT id, kind, tenant, name, scopes, issued_by, issued_at, expires_at FROM tokens
WHERE ($1::text IS NULL OR tenant = $1) AND revoked_at IS NULL AND expires_at > $2
  AND ($3::timestamptz IS NULL OR issued_at < $3 OR (issued_at = $3 AND id > $4))
ORDER BY issued_at DESC, id LIMIT $5

-- name: revoke_token
-- Revoke one token.
UPDATE tokens SET revoked_at = $3, revoked_by = $4
WHERE id = $1 AND ($2::text IS NULL OR tenant = $2) AND revoked_at IS NULL RETURNING id, tenant, expires_at

-- name: revoke_sessions
-- Revoke the sessions of a user, but for one if it is named.
UPDATE tokens SET revoked_at = $2, revoked_by = $3
WHERE name = $1 AND kind = 'session' AND revoked_at IS NULL AND expires_at > $2 AND id IS DISTINCT FROM $4
RETURNING id, tenant, expires_at

-- name: revoked_tokens
-- Tokens that are revoked and have not expired.
SELECT id, tenant, expires_at FROM tokens WHERE revoked_at IS NOT NULL AND expires_at > $1

-- name: tokens_ending
-- Tokens that end between two times.
SELECT id, kind, tenant, name, scopes, issued_by, issued_at, expires_at FROM tokens
WHERE kind = 'token' AND revoked_at IS NULL AND expires_at > $1 AND expires_at <= $2 ORDER BY expires_at, id LIMIT 10000

-- name: delete_expired_tokens
-- Delete tokens that expired before a time.
DELETE FROM tokens WHERE expires_at < $1

-- name: lock_attempts
-- What was tried by these subjects; whoever tries at the same time waits.
INSERT INTO sign_in_attempts AS a (subject, failures, failed_at)
SELECT subject, 0, $2 FROM unnest($1::bytea[]) AS subject
ON CONFLICT (subject) DO UPDATE SET failures = CASE WHEN a.failed_at < $3 THEN 0 ELSE a.failures END
RETURNING subject, failures, failed_at

-- name: count_attempt
-- A proof is being checked: it counts as a failure until it was right.
UPDATE sign_in_attempts SET failures = failures + 1, failed_at = $2 WHERE subject = ANY($1)

-- name: take_back_attempt
-- As if it had not been offered.
UPDATE sign_in_attempts SET failures = greatest(failures - 1, 0) WHERE subject = ANY($1)

-- name: forget_attempts
-- The next proof is taken at once.
DELETE FROM sign_in_attempts WHERE subject = $1

-- name: delete_old_attempts
-- Delete failures that count no more.
DELETE FROM sign_in_attempts WHERE failed_at < $1

-- name: sessions_of
-- The sessions of a user that go on, newest first.
SELECT id, issued_at, expires_at FROM tokens
WHERE name = $1 AND kind = 'session' AND revoked_at IS NULL AND expires_at > $2 ORDER BY issued_at DESC, id LIMIT 100

-- name: revoke_own_session
-- End a session of a user.
UPDATE tokens SET revoked_at = $3, revoked_by = $2
WHERE id = $1 AND name = $2 AND kind = 'session' AND revoked_at IS NULL RETURNING id, tenant, expires_at
