-- name: insert_job
-- A new job.
INSERT INTO jobs (id, kind, selection, requested_by, requested_at, rate, total, next_offset)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: lock_job
-- Lock the oldest running job that no other worker has.
SELECT * FROM jobs WHERE state = 'running' ORDER BY requested_at LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: advance_job
-- How far a job is, and where it continues.
UPDATE jobs SET done = done + $2, next_offset = coalesce($3, next_offset) WHERE id = $1

-- name: add_missing_queues
-- Queues that a job found missing; returns all of them.
UPDATE jobs SET missing = ARRAY(SELECT DISTINCT unnest(missing || $2::text[]) ORDER BY 1) WHERE id = $1 RETURNING missing

-- name: end_job
-- How a job ended.
UPDATE jobs SET state = $2, error = $3, ended_at = now() WHERE id = $1 AND state = 'running'

-- name: list_jobs
-- Jobs, newest first: the audit of what operators did.
SELECT * FROM jobs WHERE ($1::timestamptz IS NULL OR (requested_at, id) < ($1, $2::uuid))
ORDER BY requested_at DESC, id DESC LIMIT $3

-- name: get_job
-- One job.
SELECT * FROM jobs WHERE id = $1
