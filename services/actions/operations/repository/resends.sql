-- name: rows_to_send
-- The open rows of a part that are recipients of a mailing, and why some are not sent to any more.
SELECT c.seq, c.mailing, coalesce(p.written, c.address) AS address, p.reason, {skip} AS why, s.sender
FROM operation_rows AS c
LEFT JOIN recipients AS p ON p.tenant = $2 AND p.mailing = c.mailing AND p.address = c.address
LEFT JOIN mailing_senders AS s ON s.tenant = $2 AND s.mailing = c.mailing
WHERE c.operation = $1 AND c.seq BETWEEN $3 AND $4 AND c.outcome IS NULL ORDER BY c.seq
