-- name: create_contacts
-- Create the contacts that do not exist, in the order of their keys.
INSERT INTO contacts (tenant, contact, version) SELECT tenant, contact, 0 FROM unnest($1::text[], $2::text[])
AS k (tenant, contact) ON CONFLICT DO NOTHING

-- name: lock_contacts
-- Lock contacts. Apart from reading them: a statement that waited for a lock would read the addresses of before.
SELECT FROM contacts AS c JOIN unnest($1::text[], $2::text[]) AS k (tenant, contact) USING (tenant, contact)
ORDER BY c.tenant, c.contact FOR UPDATE OF c

-- name: read_contacts
-- Contacts with their addresses.
SELECT c.*, ARRAY(SELECT a.written FROM contact_addresses AS a
                  WHERE a.tenant = c.tenant AND a.contact = c.contact ORDER BY a.rank) AS addresses
FROM contacts AS c JOIN unnest($1::text[], $2::text[]) AS k (tenant, contact) USING (tenant, contact)

-- name: write_contacts
-- New values of contacts that exist; `words` has the words of each, by spaces.
UPDATE contacts AS c SET
    name = n.name, name_at = n.name_at, company = n.company, company_at = n.company_at,
    external_id = n.external_id, external_id_at = n.external_id_at, former_employee = n.former,
    former_employee_at = n.former_at, addresses_at = n.addresses_at, version = n.version,
    name_key = n.name_key, company_key = n.company_key, words = array_to_tsvector(string_to_array(n.words, ' '))
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::timestamptz[], $7::text[],
            $8::timestamptz[], $9::boolean[], $10::timestamptz[], $11::timestamptz[], $12::bigint[], $13::text[],
            $14::text[], $15::text[])
     AS n (tenant, contact, name, name_at, company, company_at, external_id, external_id_at, former, former_at,
           addresses_at, version, name_key, company_key, words)
WHERE c.tenant = n.tenant AND c.contact = n.contact

-- name: remove_addresses
-- Take all addresses from contacts.
DELETE FROM contact_addresses AS a USING unnest($1::text[], $2::text[]) AS k (tenant, contact)
WHERE a.tenant = k.tenant AND a.contact = k.contact

-- name: add_addresses
-- Add addresses to contacts.
INSERT INTO contact_addresses (tenant, address, contact, rank, written)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::text[]) ON CONFLICT DO NOTHING

-- name: contact
-- One contact.
SELECT contact, name, company, external_id, former_employee, version FROM contacts WHERE tenant = $1 AND contact = $2

-- name: addresses_of
-- The addresses of a contact, the main one first, each with its block state and the last return that was hard.
SELECT a.written AS address, coalesce(s.blocked, false) AS blocked, s.cause, s.reason, s.return_count,
       s.since AS blocked_since, r.mailing, r.reply_code, r.enhanced_status, r.diagnostic, r.returned_at
FROM contact_addresses AS a
LEFT JOIN address_states AS s ON s.tenant = a.tenant AND s.address = a.address AND s.blocked
LEFT JOIN LATERAL (
    SELECT n.* FROM recipients AS n
    WHERE n.tenant = a.tenant AND n.address = a.address AND n.returned_at IS NOT NULL
    ORDER BY n.returned_at DESC LIMIT 1) AS r ON true
WHERE a.tenant = $1 AND a.contact = $2 ORDER BY a.rank

-- name: lists_of
-- The selections and projects that a contact is in.
SELECT l.kind, l.list AS id, l.name FROM list_members AS m JOIN lists AS l USING (tenant, kind, list)
WHERE m.tenant = $1 AND m.contact = $2 AND m.member AND NOT l.deleted ORDER BY l.kind, l.name_key, l.list LIMIT 200

-- name: history
-- What happened to the addresses of a contact $2, or to the addresses $4, newest first.
WITH mine AS (
    SELECT address, written FROM contact_addresses WHERE tenant = $1 AND contact = $2
    UNION ALL SELECT a, a FROM unnest($4::text[]) AS a),
heard AS (SELECT r.*, coalesce(r.written, m.written) AS shown
          FROM mine AS m JOIN recipients AS r ON r.tenant = $1 AND r.address = m.address)
SELECT * FROM (
    SELECT t.time, t.what, h.shown AS address, h.mailing, NULL::text AS cause, NULL::text AS reason,
           NULL::text AS rule, NULL::text AS by, NULL::text AS note, NULL::text AS corrected_from
    FROM heard AS h CROSS JOIN LATERAL (VALUES
        (h.sent_at, 'sent'), (h.delivered_at, 'delivered'), (h.opened_at, 'opened'),
        (h.complained_at, 'complained'), (h.unsubscribed_at, 'unsubscribed')) AS t (time, what)
    WHERE t.time IS NOT NULL
    UNION ALL
    SELECT h.returned_at, CASE WHEN h.hard THEN 'hard_bounced' ELSE 'soft_bounced' END, h.shown, h.mailing, NULL,
           h.reason, h.rule, NULL, NULL, NULL
    FROM heard AS h WHERE h.returned_at IS NOT NULL
    UNION ALL
    SELECT e.time, CASE WHEN e.blocked THEN 'blocked' ELSE 'unblocked' END, m.written, e.mailing, e.cause, e.reason,
           NULL, e.by, e.note, NULL
    FROM mine AS m JOIN address_events AS e ON e.tenant = $1 AND e.address = m.address
    UNION ALL
    SELECT DISTINCT c.time, 'corrected', c.new_written, NULL, NULL, NULL, NULL, c.by, c.note, c.old_written
    FROM address_corrections AS c
    WHERE c.tenant = $1 AND (c.contact = $2 OR c.old = ANY ($4::text[]) OR c.new = ANY ($4::text[]))
) AS all_of_it ORDER BY time DESC, what LIMIT $3

-- name: refresh_former
-- Note which of these addresses belong to former employees alone; returns those of which that is new, and what is so now.
-- Who changes an owner of an address holds its row in `owners` until the end: of two, the second sees what the first did.
WITH touched AS (SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) AS t (tenant, address)),
found AS (
    SELECT t.tenant, t.address, coalesce(o.former, false) AS former
    FROM touched AS t
    CROSS JOIN LATERAL (
        SELECT bool_and(c.former_employee) AS former FROM contact_addresses AS a JOIN contacts AS c USING (tenant, contact)
        WHERE a.tenant = t.tenant AND a.address = t.address
    ) AS o
),
left_alone AS (
    INSERT INTO former_addresses (tenant, address) SELECT tenant, address FROM found WHERE former
    ON CONFLICT DO NOTHING RETURNING tenant, address
),
back AS (
    DELETE FROM former_addresses AS f USING found AS n
    WHERE f.tenant = n.tenant AND f.address = n.address AND NOT n.former RETURNING f.tenant, f.address
)
SELECT tenant, address, true AS former FROM left_alone UNION ALL SELECT tenant, address, false FROM back ORDER BY 1, 2
