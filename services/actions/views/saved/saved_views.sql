-- name: list_views
-- The views of a page that a user sees: the user's own, and those that are shared.
SELECT id, page, name, query, shared, owner, made_at FROM saved_views
WHERE tenant = $1 AND page = $2 AND (owner = $3 OR shared) ORDER BY shared, lower(name), id

-- name: count_views
-- How many views a user has.
SELECT count(*) FROM saved_views WHERE tenant = $1 AND owner = $2

-- name: add_view
-- A new view.
INSERT INTO saved_views (id, tenant, owner, page, name, query, shared, made_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (id) DO NOTHING

-- name: delete_view
-- A view is gone: the user's own, or when $4 is true one that is shared.
DELETE FROM saved_views WHERE tenant = $1 AND id = $2 AND (owner = $3 OR (shared AND $4)) RETURNING id
