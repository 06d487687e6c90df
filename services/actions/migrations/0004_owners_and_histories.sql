-- Whose an address is, in one row to sort by; what happened to its block; what is sorted and filtered by.

ALTER TABLE recipients ADD rule text COLLATE "C";           -- what decided the verdict
ALTER TABLE address_states ADD mailing text COLLATE "C";    -- the one whose return blocked it

-- Every block and lift that was heard of.
CREATE TABLE address_events (
    tenant text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    time timestamptz NOT NULL,
    blocked boolean NOT NULL,
    cause text COLLATE "C" NOT NULL,
    reason text COLLATE "C",
    mailing text COLLATE "C",
    by text NOT NULL,
    note text NOT NULL,
    PRIMARY KEY (tenant, address, version)
);
CREATE INDEX address_events_time ON address_events (tenant, time);

-- Whose an address is: of several contacts one who has not left, then the one whose main address it is. Kept by the
-- triggers below, whoever changes contacts: what is sorted by name or company is sorted here, by one index.
CREATE TABLE owners (
    tenant text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    contact text COLLATE "C" NOT NULL,
    former_employee boolean NOT NULL,
    name text,
    company text,
    name_key text COLLATE "C",
    company_key text COLLATE "C",
    PRIMARY KEY (tenant, address)
) WITH (fillfactor = 90);
CREATE INDEX owners_name ON owners (tenant, name_key, address) WHERE name_key IS NOT NULL;
CREATE INDEX owners_company ON owners (tenant, company_key, address) WHERE company_key IS NOT NULL;

CREATE FUNCTION own_addresses() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS '
BEGIN
    WITH touched AS (SELECT DISTINCT tenant, address FROM changed),
    best AS (
        SELECT DISTINCT ON (a.tenant, a.address) a.tenant, a.address, c.contact, c.former_employee, c.name, c.company,
               c.name_key, c.company_key
        FROM touched AS t JOIN contact_addresses AS a USING (tenant, address) JOIN contacts AS c USING (tenant, contact)
        ORDER BY a.tenant, a.address, c.former_employee, a.rank, a.contact),
    gone AS (
        DELETE FROM owners AS o USING touched AS t WHERE o.tenant = t.tenant AND o.address = t.address
          AND NOT EXISTS (SELECT FROM best AS b WHERE b.tenant = t.tenant AND b.address = t.address))
    INSERT INTO owners AS o (tenant, address, contact, former_employee, name, company, name_key, company_key)
    SELECT * FROM best ON CONFLICT (tenant, address) DO UPDATE SET
        contact = excluded.contact, former_employee = excluded.former_employee, name = excluded.name,
        company = excluded.company, name_key = excluded.name_key, company_key = excluded.company_key
    WHERE (o.contact, o.former_employee, o.name, o.company)
        IS DISTINCT FROM (excluded.contact, excluded.former_employee, excluded.name, excluded.company);
    RETURN NULL;
END';
CREATE FUNCTION own_addresses_of_contacts() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS '
BEGIN
    WITH best AS (
        SELECT DISTINCT ON (a.tenant, a.address) a.tenant, a.address, c.contact, c.former_employee, c.name, c.company,
               c.name_key, c.company_key
        FROM (SELECT DISTINCT m.tenant, m.address FROM contact_addresses AS m JOIN changed USING (tenant, contact)) AS t
        JOIN contact_addresses AS a USING (tenant, address) JOIN contacts AS c USING (tenant, contact)
        ORDER BY a.tenant, a.address, c.former_employee, a.rank, a.contact)
    INSERT INTO owners AS o (tenant, address, contact, former_employee, name, company, name_key, company_key)
    SELECT * FROM best ON CONFLICT (tenant, address) DO UPDATE SET
        contact = excluded.contact, former_employee = excluded.former_employee, name = excluded.name,
        company = excluded.company, name_key = excluded.name_key, company_key = excluded.company_key
    WHERE (o.contact, o.former_employee, o.name, o.company)
        IS DISTINCT FROM (excluded.contact, excluded.former_employee, excluded.name, excluded.company);
    RETURN NULL;
END';
CREATE TRIGGER given AFTER INSERT ON contact_addresses REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION own_addresses();
CREATE TRIGGER taken AFTER DELETE ON contact_addresses REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION own_addresses();
CREATE TRIGGER moved AFTER UPDATE ON contact_addresses REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION own_addresses();
CREATE TRIGGER moved_from AFTER UPDATE ON contact_addresses REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION own_addresses();
CREATE TRIGGER changed AFTER UPDATE ON contacts REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION own_addresses_of_contacts();

UPDATE contact_addresses SET rank = rank;
