-- name: contacts
-- The contacts of the addresses of the open rows of a part. OFFSET 0 keeps the planner to look-ups by key.
SELECT DISTINCT o.contact
FROM operation_rows AS r
CROSS JOIN LATERAL (SELECT a.contact FROM contact_addresses AS a
                    WHERE a.tenant = $2 AND a.address = r.address OFFSET 0) AS o
WHERE r.operation = $1 AND r.seq BETWEEN $3 AND $4 AND r.outcome IS NULL

-- name: lock_contacts
-- Lock contacts, in the order of their keys.
SELECT FROM contacts WHERE tenant = $1 AND contact = ANY ($2::text[]) ORDER BY contact FOR UPDATE

-- name: keep_employed
-- Keep what is known of contacts that are no former employees, before they are set as such.
INSERT INTO operation_undo_values (operation, part, id, value)
SELECT $3, $4, contact, jsonb_build_object('former_employee_at', former_employee_at, 'left_by', left_by)
FROM contacts WHERE tenant = $1 AND contact = ANY ($2::text[]) AND NOT former_employee

-- name: set_former
-- Set contacts as former employees, by an operation; returns those that were none.
UPDATE contacts SET former_employee = true, former_employee_at = $3, left_by = $4, version = version + 1
WHERE tenant = $1 AND contact = ANY ($2::text[]) AND NOT former_employee RETURNING contact

-- name: kept_contacts
-- The contacts of which a part of an operation keeps what an undo needs.
SELECT id FROM operation_undo_values WHERE operation = $1 AND part = $2 AND address IS NULL ORDER BY id

-- name: addresses_of_former
-- The addresses of these contacts that belong to no contact who is not a former employee.
SELECT DISTINCT a.address FROM contact_addresses AS a
WHERE a.tenant = $1 AND a.contact = ANY ($2::text[])
  AND NOT EXISTS (SELECT FROM contact_addresses AS b JOIN contacts AS c USING (tenant, contact)
                  WHERE b.tenant = $1 AND b.address = a.address AND NOT c.former_employee)
ORDER BY a.address

-- name: addresses_of
-- The addresses of these contacts.
SELECT DISTINCT address FROM contact_addresses WHERE tenant = $1 AND contact = ANY ($2::text[]) ORDER BY address

-- name: unplan
-- Remove addresses from the mailings that are not sent yet, and keep which.
WITH gone AS (
    DELETE FROM recipients WHERE tenant = $1 AND address = ANY ($2::text[]) AND status = 'ready' RETURNING mailing, address
)
INSERT INTO operation_undo_values (operation, part, id, address) SELECT $3, $4, mailing, address FROM gone

-- name: undo_set_former
-- Undo that contacts were set as former employees, unless anything was said of that since.
UPDATE contacts AS c SET former_employee = false, version = version + 1,
    former_employee_at = (b.value ->> 'former_employee_at')::timestamptz, left_by = b.value ->> 'left_by'
FROM operation_undo_values AS b
WHERE b.operation = $2 AND b.part = $3 AND b.address IS NULL AND c.tenant = $1 AND c.contact = b.id
  AND c.former_employee AND c.former_employee_at = $4
RETURNING c.contact

-- name: keep_former
-- Keep when and by what these contacts were set as former employees, before they are set back.
INSERT INTO operation_undo_values (operation, part, id, value)
SELECT $3, $4, contact, jsonb_build_object('former_employee_at', former_employee_at, 'left_by', left_by)
FROM contacts WHERE tenant = $1 AND contact = ANY ($2::text[]) AND former_employee

-- name: set_back
-- Set contacts back; returns those that were former employees.
UPDATE contacts SET former_employee = false, former_employee_at = $3, left_by = NULL, version = version + 1
WHERE tenant = $1 AND contact = ANY ($2::text[]) AND former_employee RETURNING contact

-- name: undo_set_back
-- Undo that contacts were set back, unless anything was said of that since.
UPDATE contacts AS c SET former_employee = true, version = version + 1, left_by = b.value ->> 'left_by',
    former_employee_at = (b.value ->> 'former_employee_at')::timestamptz
FROM operation_undo_values AS b
WHERE b.operation = $2 AND b.part = $3 AND b.address IS NULL AND c.tenant = $1 AND c.contact = b.id
  AND NOT c.former_employee AND c.former_employee_at = $4
RETURNING c.contact

-- name: plan_again
-- Add addresses to mailings again.
INSERT INTO recipients (tenant, mailing, address)
SELECT $1, b.id, b.address FROM operation_undo_values AS b
WHERE b.operation = $2 AND b.part = $3 AND b.address IS NOT NULL ON CONFLICT DO NOTHING

-- name: read
-- What contacts are now.
SELECT c.contact, c.name, c.company, c.external_id, c.former_employee, c.version,
       ARRAY(SELECT a.written FROM contact_addresses AS a
             WHERE a.tenant = c.tenant AND a.contact = c.contact ORDER BY a.rank) AS addresses
FROM contacts AS c WHERE c.tenant = $1 AND c.contact = ANY ($2::text[]) ORDER BY c.contact
