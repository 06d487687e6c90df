-- Selections and projects with their members; what mailings are called; more of contacts; keys to sort and search by.

ALTER TABLE contacts
    ADD external_id text,
    ADD external_id_at timestamptz,
    ADD former_employee_at timestamptz,
    ADD version bigint NOT NULL DEFAULT 1,                  -- rises with every change that is to be seen
    ADD name_key text COLLATE "C",                          -- what names are sorted by; services/actions/contacts/collation.py
    ADD company_key text COLLATE "C",
    ADD words tsvector NOT NULL DEFAULT '';                 -- what is found by typing: `<tenant>/<word>`
UPDATE contacts SET name_key = lower(name), company_key = lower(company), words = array_to_tsvector(
    ARRAY(SELECT DISTINCT tenant || '/' || word
          FROM regexp_split_to_table(lower(concat_ws(' ', name, company)), '\s+') AS word WHERE word <> ''));
CREATE INDEX contacts_name ON contacts (tenant, name_key, contact);
CREATE INDEX contacts_company ON contacts (tenant, company_key, contact);
CREATE INDEX contacts_words ON contacts USING gin (words);

-- Static selections and projects: both are lists of contacts.
CREATE TABLE lists (
    tenant text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('selection', 'project')),
    list text COLLATE "C" NOT NULL,
    name text,
    name_at timestamptz,
    name_key text COLLATE "C",
    folded text COLLATE "C" NOT NULL DEFAULT '',            -- the name as it is searched
    deleted boolean NOT NULL DEFAULT false,
    deleted_at timestamptz,                                 -- when it was last said whether it is deleted
    members_at timestamptz,                                 -- when all members were last told: older tellings say nothing
    size integer NOT NULL DEFAULT 0,                        -- members
    version bigint NOT NULL DEFAULT 1,                      -- rises with every change that is to be seen
    made_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, kind, list)
) WITH (fillfactor = 80);
CREATE INDEX lists_name ON lists (tenant, kind, name_key, list) WHERE NOT deleted;

-- Who is in a list, and who was told not to be: of two tellings the later one holds, in whatever order they come.
CREATE TABLE list_members (
    tenant text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    list text COLLATE "C" NOT NULL,
    contact text COLLATE "C" NOT NULL,
    member boolean NOT NULL,
    told_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, kind, list, contact)
);
CREATE INDEX list_members_contact ON list_members (tenant, contact) WHERE member;

ALTER TABLE mailings
    ADD name text,
    ADD name_at timestamptz,
    ADD subject text,
    ADD subject_at timestamptz,
    ADD sent_at timestamptz,                                -- when it was sent or is to be, as it was told
    ADD sent_told_at timestamptz,
    ADD folded text COLLATE "C" NOT NULL DEFAULT '',        -- name and subject as they are searched
    ADD version bigint NOT NULL DEFAULT 1;
CREATE INDEX mailings_time ON mailings (tenant, (coalesce(sent_at, first_seen)) DESC, mailing DESC);

-- All that is kept of one address: its history, and its erasure.
CREATE INDEX recipients_address ON recipients USING hash (address);
