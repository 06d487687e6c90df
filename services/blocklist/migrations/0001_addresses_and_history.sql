-- One row for each address that anything is known of. Narrow, since nine in ten events only move last_delivered; no index
-- has that column, so that the update stays on its page (HOT, hence the fillfactor).
CREATE TABLE addresses (
    tenant text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    last_delivered timestamptz,
    last_clear timestamptz,
    manual_at timestamptz,
    since timestamptz,
    version bigint NOT NULL DEFAULT 0,
    return_count integer NOT NULL DEFAULT 0,
    cause text COLLATE "C",
    reason text COLLATE "C",
    mailing text COLLATE "C",
    cleared_by text COLLATE "C",
    clear_note text COLLATE "C",
    manual_by text COLLATE "C",
    manual_note text COLLATE "C",
    PRIMARY KEY (tenant, address),
    CHECK ((cause IS NULL) = (since IS NULL))
) PARTITION BY HASH (tenant, address);
CREATE TABLE addresses_0 PARTITION OF addresses FOR VALUES WITH (MODULUS 8, REMAINDER 0) WITH (fillfactor = 80);
CREATE TABLE addresses_1 PARTITION OF addresses FOR VALUES WITH (MODULUS 8, REMAINDER 1) WITH (fillfactor = 80);
CREATE TABLE addresses_2 PARTITION OF addresses FOR VALUES WITH (MODULUS 8, REMAINDER 2) WITH (fillfactor = 80);
CREATE TABLE addresses_3 PARTITION OF addresses FOR VALUES WITH (MODULUS 8, REMAINDER 3) WITH (fillfactor = 80);
CREATE TABLE addresses_4 PARTITION OF addresses FOR VALUES WITH (MODULUS 8, REMAINDER 4) WITH (fillfactor = 80);
CREATE TABLE addresses_5 PARTITION OF addresses FOR VALUES WITH (MODULUS 8, REMAINDER 5) WITH (fillfactor = 80);
CREATE TABLE addresses_6 PARTITION OF addresses FOR VALUES WITH (MODULUS 8, REMAINDER 6) WITH (fillfactor = 80);
CREATE TABLE addresses_7 PARTITION OF addresses FOR VALUES WITH (MODULUS 8, REMAINDER 7) WITH (fillfactor = 80);

-- The check before a mailing reads this index alone, which has the blocked addresses and no others. The list of blocks has
-- a condition that looks different, so that no planner without statistics takes its index for the check.
CREATE INDEX addresses_check ON addresses (tenant, address) INCLUDE (cause, reason, since) WHERE cause IS NOT NULL;
CREATE INDEX addresses_newest ON addresses (tenant, since, address) WHERE since IS NOT NULL;

-- Every bounce that ended hard and every complaint, by the id of its event: a repeat is the same row.
CREATE TABLE history (
    tenant text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    time timestamptz NOT NULL,
    may_block boolean NOT NULL,
    mailing text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    fault text COLLATE "C" NOT NULL,
    rule text COLLATE "C" NOT NULL,
    status text COLLATE "C",
    text text COLLATE "C" NOT NULL,
    confidence double precision,                    -- of the verdict; null where somebody else has judged
    PRIMARY KEY (tenant, address, id)
) PARTITION BY HASH (tenant, address);
CREATE TABLE history_0 PARTITION OF history FOR VALUES WITH (MODULUS 8, REMAINDER 0);
CREATE TABLE history_1 PARTITION OF history FOR VALUES WITH (MODULUS 8, REMAINDER 1);
CREATE TABLE history_2 PARTITION OF history FOR VALUES WITH (MODULUS 8, REMAINDER 2);
CREATE TABLE history_3 PARTITION OF history FOR VALUES WITH (MODULUS 8, REMAINDER 3);
CREATE TABLE history_4 PARTITION OF history FOR VALUES WITH (MODULUS 8, REMAINDER 4);
CREATE TABLE history_5 PARTITION OF history FOR VALUES WITH (MODULUS 8, REMAINDER 5);
CREATE TABLE history_6 PARTITION OF history FOR VALUES WITH (MODULUS 8, REMAINDER 6);
CREATE TABLE history_7 PARTITION OF history FOR VALUES WITH (MODULUS 8, REMAINDER 7);

-- What a tenant has set; without a row, the defaults.
CREATE TABLE settings (
    tenant text COLLATE "C" PRIMARY KEY,
    version integer NOT NULL,
    accepted_bounces integer NOT NULL CHECK (accepted_bounces >= 0),
    effects jsonb NOT NULL,                         -- of the reasons that differ from the default
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL
);
