-- name: choose_old
-- Choose mailings to which nothing has happened since $1 and whose statistics are settled: from now on these stay. One
-- that somebody writes or counts is left for later.
UPDATE mailings AS m SET recipients_removed_at = $2, recipients_left = true
FROM (SELECT w.tenant, w.mailing FROM mailings AS w
      WHERE w.recipients_removed_at IS NULL AND w.last_seen < $1 AND (w.sent_at IS NULL OR w.sent_at < $1)
        AND NOT EXISTS (SELECT FROM statistics_due AS d
                        WHERE d.tenant = w.tenant AND d.counted IN ('mailing', 'signals') AND d.name = w.mailing)
        AND NOT EXISTS (SELECT FROM statistics_runs AS r
                        WHERE r.tenant = w.tenant AND r.counted IN ('mailing', 'signals') AND r.name = w.mailing AND r.horizon IS NOT NULL)
      LIMIT $3 FOR UPDATE OF w SKIP LOCKED) AS old
WHERE m.tenant = old.tenant AND m.mailing = old.mailing

-- name: take_old
-- Lock a chosen mailing of which recipients may be left.
SELECT tenant, mailing FROM mailings WHERE recipients_left LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: remove_recipients
-- Remove the next $3 recipients of a mailing, by the order of the key that they are found by.
DELETE FROM recipients WHERE tenant = $1 AND mailing = $2 AND address <= (
    SELECT max(address) FROM (
        SELECT address FROM recipients WHERE tenant = $1 AND mailing = $2 ORDER BY address LIMIT $3
    ) AS next
)

-- name: none_left
-- All recipients of a mailing are removed.
UPDATE mailings SET recipients_left = false WHERE tenant = $1 AND mailing = $2

-- name: has_removed
-- Whether the recipients of a mailing are removed; they are not before the transaction ends if they are not now.
SELECT recipients_removed_at IS NOT NULL FROM mailings WHERE tenant = $1 AND mailing = $2 FOR KEY SHARE

-- name: some_left
-- Recipients of a mailing have come after they were removed.
UPDATE mailings SET recipients_left = true WHERE tenant = $1 AND mailing = $2
