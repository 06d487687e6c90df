-- name: record_pauses
-- Keep whether mailings are paused, by the latest command about each.
INSERT INTO paused_mailings AS p (tenant, mailing, time, paused)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::boolean[])
ON CONFLICT (tenant, mailing) DO UPDATE SET time = excluded.time, paused = excluded.paused
WHERE (p.time, p.paused) < (excluded.time, excluded.paused)

-- name: release
-- The retries of mailings that are not paused any more wait again, each for the time at which it was due.
UPDATE retries AS r SET state = 'waiting', due = r.paused_due, paused_due = NULL
FROM unnest($1::text[], $2::text[]) AS k (tenant, mailing) JOIN paused_mailings AS p USING (tenant, mailing)
WHERE NOT p.paused AND r.tenant = p.tenant AND r.mailing = p.mailing AND r.state = 'paused'
