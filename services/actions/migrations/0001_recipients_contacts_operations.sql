-- Mailings and their recipients, contacts and their addresses, block states, operations and the audit.

CREATE TABLE mailings (
    tenant text COLLATE "C" NOT NULL,
    mailing text COLLATE "C" NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    PRIMARY KEY (tenant, mailing)
);

-- What is known of one address in one mailing: the latest time of each kind of result, and the latest verdict. All
-- merges take the greater, so that order and repeats do not matter; the status follows from the row.
CREATE TABLE recipients (
    tenant text COLLATE "C" NOT NULL,
    mailing text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    sent_at timestamptz,
    delivered_at timestamptz,
    deferred_at timestamptz,
    failed_at timestamptz,                          -- a failure was reported; its verdict may come later
    opened_at timestamptz,
    complained_at timestamptz,
    unsubscribed_at timestamptz,
    returned_at timestamptz,                        -- of the latest verdict
    hard boolean,
    reason text COLLATE "C",
    exhausted boolean,
    reply_code smallint,
    enhanced_status text COLLATE "C",
    diagnostic text,
    written text,                                   -- the address as it was mailed, kept of returned ones
    status text COLLATE "C" GENERATED ALWAYS AS (
        CASE
            WHEN complained_at IS NOT NULL THEN 'complained'
            WHEN hard AND returned_at > coalesce(greatest(delivered_at, opened_at), '-infinity') THEN 'hard_bounced'
            WHEN opened_at IS NOT NULL THEN 'opened'
            WHEN NOT hard AND returned_at > coalesce(delivered_at, '-infinity') THEN 'soft_bounced'
            WHEN delivered_at IS NOT NULL THEN 'delivered'
            WHEN failed_at IS NOT NULL OR sent_at IS NOT NULL OR deferred_at IS NOT NULL THEN 'sent'
            WHEN unsubscribed_at IS NOT NULL THEN 'unsubscribed'
            ELSE 'ready'
        END) STORED,
    PRIMARY KEY (tenant, mailing, address)
) PARTITION BY HASH (tenant, address);

CREATE TABLE recipients_0 PARTITION OF recipients FOR VALUES WITH (MODULUS 8, REMAINDER 0) WITH (fillfactor = 90);
CREATE TABLE recipients_1 PARTITION OF recipients FOR VALUES WITH (MODULUS 8, REMAINDER 1) WITH (fillfactor = 90);
CREATE TABLE recipients_2 PARTITION OF recipients FOR VALUES WITH (MODULUS 8, REMAINDER 2) WITH (fillfactor = 90);
CREATE TABLE recipients_3 PARTITION OF recipients FOR VALUES WITH (MODULUS 8, REMAINDER 3) WITH (fillfactor = 90);
CREATE TABLE recipients_4 PARTITION OF recipients FOR VALUES WITH (MODULUS 8, REMAINDER 4) WITH (fillfactor = 90);
CREATE TABLE recipients_5 PARTITION OF recipients FOR VALUES WITH (MODULUS 8, REMAINDER 5) WITH (fillfactor = 90);
CREATE TABLE recipients_6 PARTITION OF recipients FOR VALUES WITH (MODULUS 8, REMAINDER 6) WITH (fillfactor = 90);
CREATE TABLE recipients_7 PARTITION OF recipients FOR VALUES WITH (MODULUS 8, REMAINDER 7) WITH (fillfactor = 90);

CREATE INDEX recipients_returned ON recipients (tenant, returned_at DESC, mailing, address)
    WHERE returned_at IS NOT NULL;

CREATE TABLE contacts (
    tenant text COLLATE "C" NOT NULL,
    contact text COLLATE "C" NOT NULL,
    name text,
    name_at timestamptz,
    company text,
    company_at timestamptz,
    addresses_at timestamptz,
    former_employee boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant, contact)
);

CREATE TABLE contact_addresses (
    tenant text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    contact text COLLATE "C" NOT NULL,
    rank smallint NOT NULL,
    written text NOT NULL,
    PRIMARY KEY (tenant, address, contact)
);
CREATE INDEX contact_addresses_contact ON contact_addresses (tenant, contact);

CREATE TABLE address_states (
    tenant text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    blocked boolean NOT NULL,
    cause text COLLATE "C" NOT NULL,
    reason text COLLATE "C",
    return_count integer,
    since timestamptz NOT NULL,
    PRIMARY KEY (tenant, address)
) WITH (fillfactor = 90);

CREATE TABLE operations (
    tenant text COLLATE "C" NOT NULL,
    operation_id text COLLATE "C" NOT NULL,
    operation text COLLATE "C" NOT NULL,
    mailing text COLLATE "C",
    requested_by text NOT NULL,
    note text NOT NULL,
    requested_at timestamptz NOT NULL,
    state text COLLATE "C" NOT NULL CHECK (state IN ('running', 'finished')),
    total integer NOT NULL DEFAULT 0,
    done integer NOT NULL DEFAULT 0,
    moved_at timestamptz NOT NULL,                  -- when something last happened
    finished_at timestamptz,
    PRIMARY KEY (tenant, operation_id)
);
CREATE INDEX operations_running ON operations (moved_at) WHERE state = 'running';

CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    time timestamptz NOT NULL,
    who text NOT NULL,
    what text COLLATE "C" NOT NULL,
    how_many integer NOT NULL,
    note text NOT NULL DEFAULT '',
    operation_id text COLLATE "C",
    UNIQUE NULLS DISTINCT (tenant, operation_id, what)
);
