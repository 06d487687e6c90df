-- name: owners
-- The contacts that have an address; or this one, if it has it.
SELECT contact FROM contact_addresses WHERE tenant = $1 AND address = $2 AND ($3::text IS NULL OR contact = $3)

-- name: keep_address
-- Keep where an address was, before it is corrected.
INSERT INTO operation_undo_values (operation, part, id, address, value)
SELECT $1, $2, contact, address, jsonb_build_object('written', written, 'rank', rank)
FROM contact_addresses WHERE tenant = $3 AND address = $4 AND contact = ANY ($5::text[])

-- name: record
-- Record what an address is corrected to, before it is.
INSERT INTO address_corrections (tenant, contact, old, operation, new, old_written, new_written, time, by, note)
SELECT tenant, contact, address, $5, $3, written, $6, $7, $8, $9
FROM contact_addresses WHERE tenant = $1 AND address = $2 AND contact = ANY ($4::text[]) AND address <> $3
ON CONFLICT DO NOTHING

-- name: forget
-- Remove the record of a correction that is undone.
DELETE FROM address_corrections WHERE tenant = $1 AND operation = $2 AND contact = ANY ($3::text[])

-- name: remove_duplicates
-- Remove an address from the contacts that have the new one already.
DELETE FROM contact_addresses AS a
WHERE a.tenant = $1 AND a.address = $2 AND a.contact = ANY ($4::text[])
  AND EXISTS (SELECT FROM contact_addresses AS b WHERE b.tenant = $1 AND b.address = $3 AND b.contact = a.contact)

-- name: correct
-- Replace an address by a new one.
UPDATE contact_addresses SET address = $3, written = $5
WHERE tenant = $1 AND address = $2 AND contact = ANY ($4::text[])

-- name: restore
-- Replace the new address by the old one again; returns the contacts. Without a record it was the same but for its case.
UPDATE contact_addresses AS a SET address = b.address, written = b.value ->> 'written', rank = (b.value ->> 'rank')::smallint
FROM operation_undo_values AS b
LEFT JOIN address_corrections AS c ON c.operation = b.operation AND c.contact = b.id AND c.old = b.address
WHERE b.operation = $1 AND b.part = $2 AND a.tenant = $3 AND a.address = coalesce(c.new, b.address) AND a.contact = b.id
RETURNING a.contact

-- name: touch
-- Set when the addresses of contacts were last said.
UPDATE contacts SET addresses_at = $3, version = version + 1 WHERE tenant = $1 AND contact = ANY ($2::text[])
