-- name: record_verdicts
-- Keep the verdict of each bounce once.
INSERT INTO verdicts (id, tenant, mailing, type, reason, fault, rule, time, fingerprint)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
                     $9::bytea[])
ON CONFLICT (id) DO NOTHING

-- name: record_unknown_texts
-- Keep the text of each fingerprint, and the day it was last seen.
INSERT INTO unknown_texts AS t (tenant, fingerprint, text, seen)
SELECT n.tenant, n.fingerprint, n.text, current_date FROM unnest($1::text[], $2::bytea[], $3::text[]) AS n (tenant, fingerprint, text)
ON CONFLICT (tenant, fingerprint) DO UPDATE SET seen = excluded.seen WHERE t.seen < excluded.seen

-- name: count_verdicts
-- Verdicts of a tenant (and a mailing) by type and reason.
SELECT type, reason, count(*) AS count FROM verdicts
WHERE tenant = $1 AND ($2::text IS NULL OR mailing = $2) GROUP BY type, reason ORDER BY count DESC, type, reason

-- name: list_unknown_texts
-- Texts that no rule knows, by fingerprint, most frequent first.
SELECT t.fingerprint, t.text, v.bounces, v.mailings, v.first_seen, v.last_seen, v.reasons
FROM (
    SELECT fingerprint, count(*) AS bounces, count(DISTINCT mailing) AS mailings, min(time) AS first_seen,
           max(time) AS last_seen, array_agg(DISTINCT reason ORDER BY reason) AS reasons
    FROM verdicts
    WHERE tenant = $1 AND fingerprint IS NOT NULL AND time >= $2 AND (NOT $3 OR reason = 'undetermined')
    GROUP BY fingerprint ORDER BY bounces DESC, fingerprint LIMIT $4
) AS v JOIN unknown_texts AS t ON t.tenant = $1 AND t.fingerprint = v.fingerprint
ORDER BY v.bounces DESC, t.fingerprint

-- name: purge_verdicts
-- Delete verdicts from before a time.
DELETE FROM verdicts WHERE time < $1

-- name: purge_unknown_texts
-- Delete texts that no verdict refers to any more.
DELETE FROM unknown_texts WHERE seen < $1::timestamptz::date - 1
