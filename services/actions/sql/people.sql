-- name: contacts
-- Whose the addresses of the open rows of a part are. OFFSET 0 keeps the planner to look-ups by key.
SELECT DISTINCT o.contact
FROM operation_rows AS r
CROSS JOIN LATERAL (SELECT a.contact FROM contact_addresses AS a
                    WHERE a.tenant = $2 AND a.address = r.address OFFSET 0) AS o
WHERE r.operation = $1 AND r.seq BETWEEN $3 AND $4 AND r.outcome IS NULL

-- name: hold
-- Take contacts in hand, in the order of their keys.
SELECT FROM contacts WHERE tenant = $1 AND contact = ANY ($2::text[]) ORDER BY contact FOR UPDATE

-- name: keep_people
-- That these contacts had not left, before they have.
INSERT INTO operation_before (operation, part, id, value)
SELECT $3, $4, contact, jsonb_build_object('former_employee_at', former_employee_at, 'left_by', left_by)
FROM contacts WHERE tenant = $1 AND contact = ANY ($2::text[]) AND NOT former_employee

-- name: leave
-- Contacts have left, by an operation.
UPDATE contacts SET former_employee = true, former_employee_at = $3, left_by = $4, version = version + 1
WHERE tenant = $1 AND contact = ANY ($2::text[]) AND NOT former_employee RETURNING contact

-- name: people_of
-- The contacts that a part of an operation has set as former employees.
SELECT id FROM operation_before WHERE operation = $1 AND part = $2 AND address IS NULL ORDER BY id

-- name: only_theirs
-- The addresses of these contacts that are nobody's who has not left.
SELECT DISTINCT a.address FROM contact_addresses AS a
WHERE a.tenant = $1 AND a.contact = ANY ($2::text[])
  AND NOT EXISTS (SELECT FROM contact_addresses AS b JOIN contacts AS c USING (tenant, contact)
                  WHERE b.tenant = $1 AND b.address = a.address AND NOT c.former_employee)
ORDER BY a.address

-- name: theirs
-- The addresses of these contacts.
SELECT DISTINCT address FROM contact_addresses WHERE tenant = $1 AND contact = ANY ($2::text[]) ORDER BY address

-- name: unplan
-- Take addresses out of the mailings that are not sent yet, and keep which.
WITH gone AS (
    DELETE FROM recipients WHERE tenant = $1 AND address = ANY ($2::text[]) AND status = 'ready' RETURNING mailing, address
)
INSERT INTO operation_before (operation, part, id, address) SELECT $3, $4, mailing, address FROM gone

-- name: come_back
-- Contacts are there again, of whom nobody has said anything since.
UPDATE contacts AS c SET former_employee = false, version = version + 1,
    former_employee_at = (b.value ->> 'former_employee_at')::timestamptz, left_by = b.value ->> 'left_by'
FROM operation_before AS b
WHERE b.operation = $2 AND b.part = $3 AND b.address IS NULL AND c.tenant = $1 AND c.contact = b.id
  AND c.former_employee AND c.former_employee_at = $4
RETURNING c.contact

-- name: keep_left
-- When and by what these contacts had left, before they are set back.
INSERT INTO operation_before (operation, part, id, value)
SELECT $3, $4, contact, jsonb_build_object('former_employee_at', former_employee_at, 'left_by', left_by)
FROM contacts WHERE tenant = $1 AND contact = ANY ($2::text[]) AND former_employee

-- name: set_back
-- Contacts are there again.
UPDATE contacts SET former_employee = false, former_employee_at = $3, left_by = NULL, version = version + 1
WHERE tenant = $1 AND contact = ANY ($2::text[]) AND former_employee RETURNING contact

-- name: left_again
-- Contacts have left as they had before they were set back, if nobody has said anything since.
UPDATE contacts AS c SET former_employee = true, version = version + 1, left_by = b.value ->> 'left_by',
    former_employee_at = (b.value ->> 'former_employee_at')::timestamptz
FROM operation_before AS b
WHERE b.operation = $2 AND b.part = $3 AND b.address IS NULL AND c.tenant = $1 AND c.contact = b.id
  AND NOT c.former_employee AND c.former_employee_at = $4
RETURNING c.contact

-- name: blocked_by
-- The operations by which the contacts that a part set back had left, each with the addresses that are theirs.
SELECT o.*, a.addresses
FROM (SELECT b.value ->> 'left_by' AS left_by, array_agg(DISTINCT a.address ORDER BY a.address) AS addresses
      FROM operation_before AS b JOIN contact_addresses AS a ON a.tenant = $2 AND a.contact = b.id
      WHERE b.operation = $1 AND b.part = $3 AND b.address IS NULL AND b.value ->> 'left_by' IS NOT NULL
      GROUP BY b.value ->> 'left_by') AS a
JOIN operations AS o ON o.tenant = $2 AND o.operation_id = a.left_by ORDER BY o.requested_at, o.operation_id

-- name: plan_again
-- Put addresses back into mailings.
INSERT INTO recipients (tenant, mailing, address)
SELECT $1, b.id, b.address FROM operation_before AS b
WHERE b.operation = $2 AND b.part = $3 AND b.address IS NOT NULL ON CONFLICT DO NOTHING

-- name: now
-- What contacts are now.
SELECT c.contact, c.name, c.company, c.external_id, c.former_employee, c.version,
       ARRAY(SELECT a.written FROM contact_addresses AS a
             WHERE a.tenant = c.tenant AND a.contact = c.contact ORDER BY a.rank) AS addresses
FROM contacts AS c WHERE c.tenant = $1 AND c.contact = ANY ($2::text[]) ORDER BY c.contact

-- name: owners
-- Whose an address is, or whether it is this contact's.
SELECT contact FROM contact_addresses WHERE tenant = $1 AND address = $2 AND ($3::text IS NULL OR contact = $3)

-- name: keep_address
-- Where an address stood, before it is corrected.
INSERT INTO operation_before (operation, part, id, address, value)
SELECT $1, $2, contact, address, jsonb_build_object('written', written, 'rank', rank)
FROM contact_addresses WHERE tenant = $3 AND address = $4 AND contact = ANY ($5::text[])

-- name: drop_old
-- Take an address from the contacts that have the new one already.
DELETE FROM contact_addresses AS a
WHERE a.tenant = $1 AND a.address = $2 AND a.contact = ANY ($4::text[])
  AND EXISTS (SELECT FROM contact_addresses AS b WHERE b.tenant = $1 AND b.address = $3 AND b.contact = a.contact)

-- name: correct
-- Put a new address in the place of an old one.
UPDATE contact_addresses SET address = $3, written = $5
WHERE tenant = $1 AND address = $2 AND contact = ANY ($4::text[])

-- name: restore
-- Put the old address back in the place of the new one.
UPDATE contact_addresses AS a SET address = b.address, written = b.value ->> 'written', rank = (b.value ->> 'rank')::smallint
FROM operation_before AS b
WHERE b.operation = $1 AND b.part = $2 AND a.tenant = $3 AND a.address = $4 AND a.contact = b.id
RETURNING a.contact

-- name: touch
-- The addresses of contacts were last told at a time.
UPDATE contacts SET addresses_at = $3, version = version + 1 WHERE tenant = $1 AND contact = ANY ($2::text[])

-- name: due_rows
-- The open rows of a part that are recipients of a mailing, and why some are not sent to any more.
SELECT c.seq, c.mailing, coalesce(p.written, c.address) AS address, p.reason, {skip} AS why, s.sender
FROM operation_rows AS c
LEFT JOIN recipients AS p ON p.tenant = $2 AND p.mailing = c.mailing AND p.address = c.address
LEFT JOIN mailing_senders AS s ON s.tenant = $2 AND s.mailing = c.mailing
WHERE c.operation = $1 AND c.seq BETWEEN $3 AND $4 AND c.outcome IS NULL ORDER BY c.seq
