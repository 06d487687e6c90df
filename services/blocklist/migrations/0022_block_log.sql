-- Every block and every lift: when, why, by whom. What `addresses` has is the last of them.
CREATE TABLE block_log (
    tenant text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    version bigint NOT NULL,                        -- of the address, as the events have it
    at timestamptz NOT NULL,
    blocked boolean NOT NULL,
    cause text COLLATE "C" NOT NULL,
    reason text COLLATE "C",
    subject text COLLATE "C",                       -- the mailing, import or operation
    until timestamptz,
    by text NOT NULL,
    note text NOT NULL,
    PRIMARY KEY (tenant, address, version)
) PARTITION BY HASH (tenant, address);
CREATE TABLE block_log_0 PARTITION OF block_log FOR VALUES WITH (MODULUS 8, REMAINDER 0);
CREATE TABLE block_log_1 PARTITION OF block_log FOR VALUES WITH (MODULUS 8, REMAINDER 1);
CREATE TABLE block_log_2 PARTITION OF block_log FOR VALUES WITH (MODULUS 8, REMAINDER 2);
CREATE TABLE block_log_3 PARTITION OF block_log FOR VALUES WITH (MODULUS 8, REMAINDER 3);
CREATE TABLE block_log_4 PARTITION OF block_log FOR VALUES WITH (MODULUS 8, REMAINDER 4);
CREATE TABLE block_log_5 PARTITION OF block_log FOR VALUES WITH (MODULUS 8, REMAINDER 5);
CREATE TABLE block_log_6 PARTITION OF block_log FOR VALUES WITH (MODULUS 8, REMAINDER 6);
CREATE TABLE block_log_7 PARTITION OF block_log FOR VALUES WITH (MODULUS 8, REMAINDER 7);
