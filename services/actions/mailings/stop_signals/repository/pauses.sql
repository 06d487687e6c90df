-- name: pause
-- Pause a mailing that is not paused, later than it was resumed. Returns since when, and which system sends it.
INSERT INTO mailing_pauses AS p (tenant, mailing, paused, since, by, why, kind) VALUES ($1, $2, true, $3, $4, $5, $6)
ON CONFLICT (tenant, mailing) DO UPDATE
SET paused = true, since = greatest(excluded.since, p.since + interval '1 microsecond'), by = excluded.by,
    why = excluded.why, kind = excluded.kind
WHERE NOT p.paused
RETURNING since, (SELECT s.sender FROM mailing_senders AS s WHERE s.tenant = $1 AND s.mailing = $2) AS sender

-- name: resume
-- Resume a mailing that is paused.
UPDATE mailing_pauses AS p
SET paused = false, since = greatest($3, p.since + interval '1 microsecond'), by = $4, why = $5, kind = NULL
WHERE p.tenant = $1 AND p.mailing = $2 AND p.paused
RETURNING p.since, (SELECT s.sender FROM mailing_senders AS s WHERE s.tenant = $1 AND s.mailing = $2) AS sender

-- name: pause_of
-- Whether a mailing is paused, or who has resumed it.
SELECT paused, since, by, why, kind FROM mailing_pauses WHERE tenant = $1 AND mailing = $2

-- name: sender_of
-- Which system sends a mailing.
SELECT sender FROM mailing_senders WHERE tenant = $1 AND mailing = $2

-- name: page_of_paused
-- A page of the mailings that are paused, the last paused first.
SELECT p.mailing, m.name, p.since, p.by, p.why, p.kind
FROM mailing_pauses AS p LEFT JOIN mailings AS m USING (tenant, mailing)
WHERE p.tenant = $1 AND p.paused AND ($2::timestamptz IS NULL OR (p.since, p.mailing) < ($2, $3))
ORDER BY p.since DESC, p.mailing DESC LIMIT $4
